"""Versions in a key-value store: a log of commits that the kernel writes itself."""
