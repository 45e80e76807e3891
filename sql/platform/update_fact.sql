UPDATE platform_fact SET value = $2 WHERE name = $1
