-- $4: the source, too, is what is erased.
UPDATE alert SET message = ($3::text[])[1], leakspeed = ($3::text[])[2], agent = ($3::text[])[3], uuid = ($3::text[])[4],
  scenario = ($3::text[])[5], source_value = ($3::text[])[6], source_ip = ($3::text[])[7], source_range = ($3::text[])[8],
  source_as_name = ($3::text[])[9], source_cn = ($3::text[])[10], filter_reasons = ($3::text[])[11], forward_error = ($3::text[])[12],
  actor = ($3::text[])[13], raw_json = ($3::text[])[14],
  source_lo = CASE WHEN $4::boolean THEN NULL ELSE source_lo END, source_hi = CASE WHEN $4::boolean THEN NULL ELSE source_hi END
WHERE tenant_id = $1 AND key = $2
