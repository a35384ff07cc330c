"""What users lay on top of a collection: variables of a store of their own, beside those of a base that nobody touches."""
