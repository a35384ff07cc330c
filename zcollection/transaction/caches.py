"""Caches, each in one process, of data that never changes."""

from typing import Self


class Cache:
    """The base class of caches that are pickled without their content."""

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()
