INSERT INTO machine (tenant_id, login, kind, name, password_hash, upstream_login, upstream_password, upstream_registered, scenarios,
  user_agent, created_at, last_seen_at, removed_at, delivers, takes_back_until, startup_owed)
SELECT $1, r.login, r.kind, r.name, r.password_hash, r.upstream_login, r.upstream_password, r.upstream_registered,
  r.scenarios, r.user_agent, r.created_at, r.last_seen_at, r.removed_at, r.delivers, r.takes_back_until,
  r.startup_owed
FROM json_populate_recordset(NULL::machine, $2::text::json) AS r
RETURNING id
