-- The first to write wins; everybody reads what stands.
INSERT INTO platform_fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
