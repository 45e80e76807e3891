-- The wall that every table of a tenant's rows stands behind: one permissive policy that lets the two roles in,
-- and one restrictive policy that narrows garrison_service to the tenant of its transaction. Restrictive, because
-- permissive policies are or-ed and one careless policy more would open the table. garrison_platform sees across
-- tenants, but holds column grants on a handful of control tables only.
CREATE FUNCTION wall_off(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('CREATE POLICY entry ON %s AS PERMISSIVE TO garrison_service, garrison_platform USING (true) WITH CHECK (true)', target);
  EXECUTE format('CREATE POLICY tenant ON %s AS RESTRICTIVE TO garrison_service
    USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::int)
    WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::int)', target);
END $$;
REVOKE EXECUTE ON FUNCTION wall_off(regclass) FROM PUBLIC;
