SELECT r.batch_id, r.item, r.reason FROM rejected_signal r
WHERE r.tenant_id = $1 AND (r.batch_id, r.item) > ($2, $3) ORDER BY r.batch_id, r.item LIMIT $4
