-- What has ended on the machine by itself, and what it was told often enough to delete.
DELETE FROM link_given
WHERE tenant_id = $1 AND machine_id = $2 AND (until <= now() OR gone_at < now() - interval '7 days')
