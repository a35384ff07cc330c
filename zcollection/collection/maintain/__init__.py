"""Maintenance of a collection: history, verification, repair, copies."""
