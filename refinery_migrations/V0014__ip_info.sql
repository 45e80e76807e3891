-- What name servers and registries tell of addresses, for all replicas. Facts of public registries: they belong to no
-- tenant, and a tenant that asks for one learns nothing of who asked before. Without a tenant each would ask the
-- registries anew, who ban those who ask too often.
CREATE TABLE ip_info (
  address       inet PRIMARY KEY CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
  reverse_dns   text[] NOT NULL DEFAULT '{}' CHECK (cardinality(reverse_dns) <= 10),
  whois         jsonb CHECK (pg_column_size(whois) <= 65536),
  source        text CHECK (length(source) <= 253),
  error         text CHECK (length(error) <= 2000),
  fetched_at    timestamptz NOT NULL DEFAULT now(),
  expires_at    timestamptz NOT NULL DEFAULT '-infinity',
  claimed_until timestamptz NOT NULL DEFAULT '-infinity'  -- who asks holds this, so that one replica does
);
CREATE INDEX ip_info_by_end ON ip_info (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON ip_info TO garrison_platform;
