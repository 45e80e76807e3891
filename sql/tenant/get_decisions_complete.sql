SELECT decisions_complete FROM tenant WHERE id = $1
