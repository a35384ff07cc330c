"""Plugin of zcollection: provides the merge strategy ``replace``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_merge_strategies() -> Iterator[Provides]:
    """Yield the strategy of this distribution."""
    yield Provides(
        "replace",
        target="zcollection_merge_replace.replace:Replace",
        summary="Inserted rows replace all rows of the partition",
    )
