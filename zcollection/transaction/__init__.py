"""Transactions: changes of several partitions that are staged, committed as one version, and published together."""
