INSERT INTO ip_info (address, reverse_dns, whois, source, error, expires_at) VALUES
  ('203.0.114.7', '{mail.example.org}', '{"netName": "EXAMPLE", "country": "NL"}', 'whois.ripe.net', NULL, now() + interval '1 hour'),
  ('2a00::7', '{}', NULL, NULL, 'WHOIS: whois.iana.org does not answer in time', now());
