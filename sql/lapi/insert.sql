-- Into a free slot, any, so that several at once seldom want the same; no row when all are taken.
INSERT INTO lapi_server (tenant_id, slot, name, url, bouncer_key, machine_id, machine_password, replicate_decisions, source_machine_ids, tags)
SELECT $1, s.slot, $3, $4, $5, $6, $7, $8, $9, $10
FROM generate_series(1, $2::int) AS s(slot)
WHERE NOT EXISTS (SELECT FROM lapi_server l WHERE l.tenant_id = $1 AND l.slot = s.slot)
ORDER BY random() LIMIT 1
RETURNING id, name, url, bouncer_key, machine_id, machine_password, replicate_decisions, source_machine_ids, tags, version, created_at,
       updated_at, checked_at, check_reachable, check_key, check_login, check_version, check_error
