UPDATE alert SET forward_state = 3, forward_error = $3 WHERE tenant_id = $1 AND key = $2 AND forward_state = 1
