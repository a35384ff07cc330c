"""Plugin of zcollection: provides the merge strategy ``upsert``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_merge_strategies() -> Iterator[Provides]:
    """Yield the strategy of this distribution."""
    yield Provides(
        "upsert",
        target="zcollection_merge_upsert.upsert:Upsert",
        summary="Inserted rows replace existing rows with the same axis value",
    )
