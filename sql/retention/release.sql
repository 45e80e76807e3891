-- $3: done to the end. $4: the counts of zero are out, too.
UPDATE sweep SET lease_until = '-infinity', swept_at = CASE WHEN $3::boolean THEN now() ELSE swept_at END,
  zeros_at = CASE WHEN $4::boolean THEN now() ELSE zeros_at END
WHERE tenant_id = $1 AND owner = $2
