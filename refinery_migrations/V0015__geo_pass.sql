-- Alerts that are looked up once more: those stored while there was no GeoIP file, or all on request. One pass a tenant,
-- from the newest alert to the oldest; the row says how far it came.
CREATE TABLE geo_pass (
  tenant_id    int PRIMARY KEY,
  requested_at timestamptz NOT NULL DEFAULT now(),
  everything   boolean NOT NULL,                              -- what is known already, too
  since        timestamptz,                                   -- not what was received before
  before_at    timestamptz NOT NULL DEFAULT now(),            -- what was received before this alert is still to come
  before_id    bigint NOT NULL DEFAULT 9223372036854775807,
  examined     bigint NOT NULL DEFAULT 0,
  changed      bigint NOT NULL DEFAULT 0,
  finished_at  timestamptz
);
SELECT wall_off('geo_pass');
GRANT SELECT, INSERT, UPDATE ON geo_pass TO garrison_service;
-- A new file is news to every tenant.
GRANT SELECT, INSERT, UPDATE ON geo_pass TO garrison_platform;

-- Counts of charts follow by the triggers of `alert`.
GRANT UPDATE (source_as_number, source_as_name, geo_country_code, geo_country_name, geo_city, geo_region, geo_latitude,
  geo_longitude, geo_timezone, geo_isp, geo_org) ON alert TO garrison_service;
