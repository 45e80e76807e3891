DELETE FROM person_identity WHERE person_id = $1
