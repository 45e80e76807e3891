SELECT row_to_json(r)::text AS row
FROM (SELECT id, machine_id, api_version, received_at, received, stored, duplicate, rejected, filtered, body
  FROM signal_batch WHERE tenant_id = $1 ORDER BY id) r
