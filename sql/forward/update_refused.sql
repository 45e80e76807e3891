WITH done AS (
  UPDATE alert SET forward_state = 3, forward_error = $3 WHERE tenant_id = $1 AND key = $2 AND forward_state = 1
  RETURNING key, forward_error)
INSERT INTO event (tenant_id, kind, keys, detail)
SELECT $1, 3, ARRAY[key], jsonb_build_object('error', forward_error) FROM done
