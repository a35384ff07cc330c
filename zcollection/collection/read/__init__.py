"""Operations that read rows: selection, query, scan, map."""
