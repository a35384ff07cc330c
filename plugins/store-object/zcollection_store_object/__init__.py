"""What the stores of object storage, and those that read over HTTP, have in common; it provides no store by itself."""
