UPDATE machine SET startup_owed = $3 WHERE tenant_id = $1 AND id = $2 AND startup_owed <> $3
