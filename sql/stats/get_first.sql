-- When the first alert of a window ($2, and $3, not included) was received.
SELECT min(received_at) AS first FROM alert WHERE tenant_id = $1 AND NOT local_audit AND received_at >= $2 AND received_at < $3
