-- So many rows more went; $4: all of them.
UPDATE tenant_erasure SET gone = gone + $3, lease_until = CASE WHEN $4::boolean THEN '-infinity' ELSE now() + interval '40 seconds' END,
  done_at = CASE WHEN $4::boolean THEN now() END
WHERE tenant_id = $1 AND owner = $2 AND done_at IS NULL
