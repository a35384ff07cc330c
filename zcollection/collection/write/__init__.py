"""What changes rows, variables and partitions; each change is one commit."""
