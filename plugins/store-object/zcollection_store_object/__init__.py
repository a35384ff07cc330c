"""Shared code of the stores for object storage and of the store that reads over HTTP; it provides no store by itself."""
