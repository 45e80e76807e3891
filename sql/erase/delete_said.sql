-- What servers of the tenant say of these addresses: forgotten here, whatever they go on saying.
DELETE FROM decision d WHERE d.tenant_id = $1 AND d.lo >= $2 AND d.lo <= $3 AND d.hi <= $3
