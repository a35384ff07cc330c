"""Operations that change rows, variables and partitions; each change is one commit."""
