"""What keeps a collection in order: history, verification, repair, copies."""
