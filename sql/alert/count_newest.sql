-- How many alerts a list has, up to $13, and since when there are so many: told by an index alone, where one has the conditions.
-- Those are as in alert/count.sql; a single scenario is compared as such, since of an array's elements an index tells no order.
SELECT count(*) AS n, min(received_at) AS oldest FROM (
  SELECT a.received_at FROM alert a
  WHERE a.tenant_id = $1
    AND ($2::boolean IS NULL OR a.filtered = $2)
    AND ($3::boolean IS NULL OR (a.forwarded_at IS NOT NULL) = $3)
    AND ($4::text IS NULL OR position($4 IN a.scenario) > 0)
    AND ($12::text[] IS NULL OR cardinality($12) = 1 OR a.scenario = ANY ($12))
    AND (cardinality($12) IS DISTINCT FROM 1 OR a.scenario = $12[1])
    AND ($5::text IS NULL OR a.geo_country_code = $5)
    AND ($6::text IS NULL OR a.agent = $6)
    AND ($7::inet IS NULL OR (a.source_lo >= $7 AND a.source_lo <= $8 AND a.source_hi <= $8)
         OR (a.source_lo <> a.source_hi AND a.source_ip = $9))
    AND ($10::timestamptz IS NULL OR a.received_at >= $10)
    AND ($11::timestamptz IS NULL OR a.received_at <= $11)
  ORDER BY a.received_at DESC LIMIT $13) newest
HAVING count(*) > 0
