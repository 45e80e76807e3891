-- Whether the lease still stands, held to the transaction's end, and for a term more: the row is written anew only when a
-- tenth of the term is over. A lock leaves no dead row behind, as an update would: beside a long snapshot those make every
-- claim slower. Who holds it can count on nine tenths of the term.
WITH held AS MATERIALIZED (
  SELECT tenant_id, topic, subject_id FROM lane
  WHERE tenant_id = $1 AND topic = $2 AND subject_id = $3 AND fence = $4 FOR NO KEY UPDATE),
renewed AS (
  UPDATE lane l SET lease_until = now() + make_interval(secs => $5::float8)
  FROM held h
  WHERE l.tenant_id = $1 AND l.tenant_id = h.tenant_id AND l.topic = h.topic AND l.subject_id = h.subject_id
    AND l.lease_until NOT BETWEEN now() + make_interval(secs => $5::float8 * 0.9) AND now() + make_interval(secs => $5::float8))
SELECT 1 FROM held
