-- The next alerts of a pass, newest first.
SELECT key, id, received_at, source_ip, source_value, source_cn, source_as_number, source_as_name, geo_country_code,
       geo_country_name, geo_city, geo_region, geo_latitude, geo_longitude, geo_timezone, geo_isp, geo_org
FROM alert
WHERE tenant_id = $1 AND (received_at, id) < ($2::timestamptz, $3::bigint) AND ($4::timestamptz IS NULL OR received_at >= $4)
ORDER BY received_at DESC, id DESC LIMIT $5
