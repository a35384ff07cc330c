"""Plugin of zcollection: provides the computations ``running_mean``, ``running_median`` and ``gradient``."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_computations() -> Iterator[Provides]:
    """Yield the computations of this distribution."""
    yield Provides(
        "running_mean",
        target="zcollection_view_along_track.running:RunningMean",
        summary="Means over a window of rows or of time along the axis",
    )
    yield Provides(
        "running_median",
        target="zcollection_view_along_track.running:RunningMedian",
        summary="Medians over a window of rows or of time along the axis",
    )
    yield Provides(
        "gradient",
        target="zcollection_view_along_track.gradient:Gradient",
        summary="Slopes along the axis, by time or by distance over ground",
    )
