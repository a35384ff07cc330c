"""The language in which people ask for partitions and for rows, and what it means on columns and on zones of them."""
