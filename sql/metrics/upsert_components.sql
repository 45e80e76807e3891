-- What a machine tells of the components behind it. Where it told all of them ($10), what it left out is not known any
-- more; otherwise what was known stays.
INSERT INTO usage_component AS c (tenant_id, machine_id, kind, name, type, os_name, os_version, version, active_at)
SELECT $1, $2, s.kind, s.name, s.type, s.os_name, s.os_version, s.version, s.active_at
FROM unnest($3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[])
  AS s(kind, name, type, os_name, os_version, version, active_at)
ON CONFLICT (tenant_id, machine_id, kind, name) DO UPDATE
SET type       = CASE WHEN $10::boolean THEN excluded.type       ELSE coalesce(excluded.type, c.type) END,
    os_name    = CASE WHEN $10::boolean THEN excluded.os_name    ELSE coalesce(excluded.os_name, c.os_name) END,
    os_version = CASE WHEN $10::boolean THEN excluded.os_version ELSE coalesce(excluded.os_version, c.os_version) END,
    version    = CASE WHEN $10::boolean THEN excluded.version    ELSE coalesce(excluded.version, c.version) END,
    active_at  = greatest(c.active_at, excluded.active_at),
    last_seen_at = now()
