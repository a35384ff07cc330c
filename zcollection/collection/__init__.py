"""Operations on a collection: create, open, insert, query, update, map, drop, copy."""
