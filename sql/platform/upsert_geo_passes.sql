-- For every tenant; as geoip/upsert does for one.
INSERT INTO geo_pass (tenant_id, everything, since) SELECT id, $1, $2 FROM tenant WHERE removed_at IS NULL
ON CONFLICT (tenant_id) DO UPDATE SET
  everything = excluded.everything OR (geo_pass.finished_at IS NULL AND geo_pass.everything),
  since = CASE WHEN geo_pass.finished_at IS NULL AND (geo_pass.since IS NULL OR geo_pass.since < excluded.since)
          THEN geo_pass.since ELSE excluded.since END,
  requested_at = now(), before_at = now(), before_id = excluded.before_id, examined = 0, changed = 0, finished_at = NULL
