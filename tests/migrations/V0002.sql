-- The wall is a function: it holds no rows. A walled table of these rows' own, made and dropped, shows that it works.
CREATE TABLE sample (tenant_id int, PRIMARY KEY (tenant_id));
SELECT wall_off('sample');
INSERT INTO sample VALUES (1);
DROP TABLE sample;
