-- Who this subject of an issuer is here.
SELECT p.id, p.email, p.is_platform_admin, p.admin_by_groups, p.disabled_at IS NOT NULL AS disabled
FROM person_identity i JOIN person p ON p.id = i.person_id WHERE i.issuer = $1 AND i.subject = $2
