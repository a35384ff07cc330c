"""Datasets in memory: schemas, variables and groups, with their printed forms, slicing, concatenation and conversions."""
