SELECT value, acted_ns FROM analyzer_mark WHERE tenant_id = $1 AND analyzer_id = $2 AND value = ANY ($3::text[])
