"""Plugin of zcollection: provides the merge strategy ``time_series``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_merge_strategies() -> Iterator[Provides]:
    """Yield the strategy of this distribution."""
    yield Provides(
        "time_series",
        target="zcollection_merge_time_series.time_series:TimeSeries",
        summary="Inserted rows replace the period that they cover",
    )
