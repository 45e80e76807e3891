-- What each machine is called: as the LAPI server that it is known or said to be, else by its login.
SELECT m.id, coalesce(
  (SELECT s.name FROM lapi_server s
   LEFT JOIN lapi_sync y ON y.tenant_id = s.tenant_id AND y.server_id = s.id
   WHERE s.tenant_id = m.tenant_id
     AND (y.machine_id = m.id OR m.login = ANY (s.source_machine_ids) OR m.upstream_login = ANY (s.source_machine_ids))
   ORDER BY (y.machine_id = m.id) DESC NULLS LAST, s.id LIMIT 1), m.login) AS name
FROM machine m WHERE m.tenant_id = $1
