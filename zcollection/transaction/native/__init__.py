"""Versions in a store that commits by itself, such as an Icechunk repository."""
