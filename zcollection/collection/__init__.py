"""What users do with a collection: create, open, insert, query, update, map, drop, copy."""
