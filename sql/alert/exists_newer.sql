SELECT EXISTS (SELECT FROM alert WHERE tenant_id = $1 AND received_at > $2) AS newer
