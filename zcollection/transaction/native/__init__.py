"""Versions in a transactional store, which makes its own commits, such as an Icechunk repository."""
