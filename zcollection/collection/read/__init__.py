"""What reads rows: selection, query, scan, map."""
