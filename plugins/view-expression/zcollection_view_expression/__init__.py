"""Plugin of zcollection: provides the computation ``expression``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_computations() -> Iterator[Provides]:
    """Yield the computation of this distribution."""
    yield Provides(
        "expression",
        target="zcollection_view_expression.expression:Expression",
        summary="Variables as expressions over others, such as 'ssh - mss'",
    )
