-- Who has this address, held until the end of the transaction; `taken`, where they are another subject of this issuer.
SELECT p.id, p.email, p.is_platform_admin, p.admin_by_groups, p.disabled_at IS NOT NULL AS disabled,
       EXISTS (SELECT FROM person_identity i WHERE i.issuer = $2 AND i.person_id = p.id) AS taken
FROM person p WHERE p.email = $1 FOR UPDATE OF p
