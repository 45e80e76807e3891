-- Never waits for a row while it holds others: whoever holds one has another order, and would wait for ours.
WITH held AS (
  SELECT key FROM alert WHERE tenant_id = $1 AND key = ANY ($2) ORDER BY key FOR NO KEY UPDATE NOWAIT)
UPDATE alert a SET source_as_number = p.as_number, source_as_name = p.as_name, geo_country_code = p.country_code,
  geo_country_name = p.country_name, geo_city = p.city, geo_region = p.region, geo_latitude = p.latitude,
  geo_longitude = p.longitude, geo_timezone = p.timezone, geo_isp = p.isp, geo_org = p.org
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::float8[], $10::float8[],
    $11::text[], $12::text[], $13::text[])
    AS p(key, as_number, as_name, country_code, country_name, city, region, latitude, longitude, timezone, isp, org)
WHERE a.tenant_id = $1 AND a.key = p.key AND a.key IN (SELECT key FROM held)
