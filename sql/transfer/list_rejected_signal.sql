SELECT row_to_json(r)::text AS row
FROM (SELECT batch_id, item, field, reason, raw_offset, raw_length
  FROM rejected_signal WHERE tenant_id = $1 ORDER BY batch_id, item) r
