"""Many partitions, one change: what is there, staged beside it, and published together."""
