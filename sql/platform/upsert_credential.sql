INSERT INTO credential (hash, kind, tenant_id, subject_id, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (hash) DO UPDATE SET kind = excluded.kind, tenant_id = excluded.tenant_id,
  subject_id = excluded.subject_id, expires_at = excluded.expires_at
