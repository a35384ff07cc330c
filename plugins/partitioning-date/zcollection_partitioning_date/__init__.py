"""Plugin of zcollection: provides the partitioning ``date``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_partitionings() -> Iterator[Provides]:
    """Yield the partitioning of this distribution."""
    yield Provides(
        "date",
        target="zcollection_partitioning_date.date:Date",
        summary="By calendar period: year, month, day, hour, minute or second",
    )
