-- The provider says that somebody is out: of one of its sessions, or, where it names none, of all. A session of ours that
-- came without a session of the provider's ends with any of its subject's.
UPDATE session SET revoked_at = now()
WHERE issuer = $1 AND revoked_at IS NULL
  AND ($2::text IS NULL OR subject = $2)
  AND ($3::text IS NULL OR provider_sid = $3 OR provider_sid IS NULL AND $2 IS NOT NULL)
  AND ($2 IS NOT NULL OR $3 IS NOT NULL)
RETURNING id, person_id
