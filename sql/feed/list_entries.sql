-- What holds for addresses now, a row for each who says so: of these origins, of these types, of scenarios whose name has
-- one of these parts; an empty list asks for nothing.
SELECT d.lo, d.hi, d.until, d.since, d.scenario
FROM decision d
WHERE d.tenant_id = $1 AND d.until > now() AND d.lifted_at IS NULL AND d.scope IN ('Ip', 'Range') AND d.lo IS NOT NULL
  AND (cardinality($2::text[]) = 0 OR lower(d.origin) = ANY ($2))
  AND (cardinality($3::text[]) = 0 OR lower(d.origin) = ANY ($3))
  AND (cardinality($4::text[]) = 0 OR lower(d.type) = ANY ($4))
  AND (cardinality($5::text[]) = 0 OR lower(d.type) = ANY ($5))
  AND (cardinality($6::text[]) = 0 OR EXISTS (SELECT FROM unnest($6::text[]) AS s(part) WHERE position(s.part IN d.scenario) > 0))
  AND ($7::smallint IS NULL OR family(d.lo) = $7)
LIMIT $8
