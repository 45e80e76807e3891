SELECT e.tenant_id, t.name, e.id, e.at, e.kind, e.actor, encode(e.digest, 'hex') AS digest, e.complete, e.counts::text AS counts
FROM erasure e JOIN tenant t ON t.id = e.tenant_id ORDER BY e.at, e.id
