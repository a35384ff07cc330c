"""Plugin of zcollection: provides the partitioning ``values``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_partitionings() -> Iterator[Provides]:
    """Yield the partitioning of this distribution."""
    yield Provides(
        "values",
        target="zcollection_partitioning_values.values:Values",
        summary="By the values of strings, integers and booleans, such as a platform",
    )
