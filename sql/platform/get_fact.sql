SELECT value FROM platform_fact WHERE name = $1
