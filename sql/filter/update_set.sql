-- Every change of a tenant's rules takes the next version; the row also makes two changes take turns.
UPDATE filter_set SET version = version + 1, mode = coalesce($2, mode), updated_at = now() WHERE tenant_id = $1
RETURNING version, mode
