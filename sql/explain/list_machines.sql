-- What people know these machines by.
SELECT id, coalesce(nullif(name, ''), login) AS name FROM machine WHERE tenant_id = $1 AND id = ANY ($2::bigint[])
