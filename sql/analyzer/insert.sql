-- No row when there are as many as a tenant may have.
INSERT INTO analyzer (tenant_id, slug, rule, url, token, enabled)
SELECT $1, $3, $4, $5, $6, $7
WHERE (SELECT count(*) FROM analyzer WHERE tenant_id = $1) < $2
RETURNING id
