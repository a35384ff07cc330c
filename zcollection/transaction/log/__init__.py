"""Versions on a store of keys and bytes: a log of commits that the kernel writes itself."""
