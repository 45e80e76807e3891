-- As the owner: held until the transaction ends.
SELECT value FROM platform_fact WHERE name = $1 FOR UPDATE
