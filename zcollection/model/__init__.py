"""What a dataset is: schema, variables, groups, and how they are shown, sliced, joined and converted."""
