-- What a machine was given and is no longer to have.
UPDATE link_given SET gone_at = coalesce(gone_at, now())
WHERE tenant_id = $1 AND machine_id = $2 AND value <> ALL ($3::text[])
RETURNING value, type
