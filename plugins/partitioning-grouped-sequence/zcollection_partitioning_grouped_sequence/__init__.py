"""Plugin of zcollection: provides the partitioning ``grouped_sequence``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_partitionings() -> Iterator[Provides]:
    """Yield the partitioning of this distribution."""
    yield Provides(
        "grouped_sequence",
        target="zcollection_partitioning_grouped_sequence.grouped_sequence:GroupedSequence",
        summary="By integer variables, the last in groups of a fixed size, such as ten passes",
    )
