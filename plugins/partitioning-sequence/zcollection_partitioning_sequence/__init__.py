"""Plugin of zcollection: provides the partitioning ``sequence``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_partitionings() -> Iterator[Provides]:
    """Yield the partitioning of this distribution."""
    yield Provides(
        "sequence",
        target="zcollection_partitioning_sequence.sequence:Sequence",
        summary="By the values of integer variables, such as cycle and pass",
    )
