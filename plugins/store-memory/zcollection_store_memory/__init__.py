"""Plugin of zcollection: provides the store of ``memory://`` URLs."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution."""
    yield Provides(
        "memory",
        target="zcollection_store_memory.store:MemoryStore",
        summary="The memory of this process, for tests and temporary data",
    )
