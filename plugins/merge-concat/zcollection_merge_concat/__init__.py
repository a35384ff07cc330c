"""Plugin of zcollection: provides the merge strategy ``concat``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_merge_strategies() -> Iterator[Provides]:
    """Yield the strategy of this distribution."""
    yield Provides(
        "concat",
        target="zcollection_merge_concat.concat:Concat",
        summary="Inserted rows are appended to the existing rows",
    )
