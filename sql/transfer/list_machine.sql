SELECT row_to_json(r)::text AS row
FROM (SELECT id, login, kind, name, password_hash, upstream_login, upstream_password, upstream_registered, scenarios,
  user_agent, created_at, last_seen_at, removed_at, delivers, takes_back_until, startup_owed
  FROM machine WHERE tenant_id = $1 ORDER BY id) r
