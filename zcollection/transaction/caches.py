"""Caches of data that never changes, which belong to one process."""

from typing import Self


class Cache:
    """The base class of a cache that other processes receive empty."""

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()
