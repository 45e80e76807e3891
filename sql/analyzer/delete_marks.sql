-- Those of lines that no window reaches any more.
DELETE FROM analyzer_mark WHERE tenant_id = $1 AND analyzer_id = $2 AND acted_ns < $3
