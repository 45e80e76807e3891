SELECT row_to_json(r)::text AS row
FROM (SELECT month, machine_id FROM stat_usage_machine WHERE tenant_id = $1
      UNION
      SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date, machine_id FROM stat_delta
      WHERE tenant_id = $1 AND used AND machine_id IS NOT NULL) r
