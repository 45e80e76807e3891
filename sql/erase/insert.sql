INSERT INTO erasure (tenant_id, kind, actor, digest, complete, counts) VALUES ($1, $2, $3, $4, $5, $6::text::jsonb) RETURNING id, at, encode(digest, 'hex') AS digest
