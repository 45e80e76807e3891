DELETE FROM alert WHERE tenant_id = $1 AND key = ANY ($2::uuid[])
