"""The partitions of a collection: which there are, in columns, stored as a catalog."""
