"""The index of a collection: its partitions in columns, stored as the catalog."""
