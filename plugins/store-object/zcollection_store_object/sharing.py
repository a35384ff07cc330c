"""Drivers that stores share, because opening connections takes as long as several requests."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final, Protocol

from zcollection_store_object.driver import Driver

_KEPT: Final = 8
"""The number of drivers of one service that are kept."""


class SharedDrivers(Protocol):
    """The drivers of one service that are kept."""

    def __call__(self, location: str, options: Any, environment: frozenset[tuple[str, str]] = frozenset(), /) -> Driver:
        """Return the driver of a location; equal arguments return the same one.

        Parameters
        ----------
        location
            The name of a bucket, or the URL of a directory.
        options
            The options of the service.
        environment
            The environment variables that the driver reads.
        """

    def cache_clear(self) -> None:
        """Empty the cache of drivers; a store that uses a driver keeps it."""


@cache
def shared(open_driver: Callable[[str, Any], Driver]) -> SharedDrivers:
    """Return the kept drivers that a function opens."""

    @lru_cache(maxsize=_KEPT)
    def driver_of(location: str, options: Any, environment: frozenset[tuple[str, str]] = frozenset()) -> Driver:
        del environment  # part of the cache key, because drivers read the environment
        return open_driver(location, options)

    return driver_of
