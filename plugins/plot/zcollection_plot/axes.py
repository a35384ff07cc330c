"""The axes to draw on, and the colours that all pictures share."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

SHARE: Final = "YlGnBu"
"""The colour map of shares. Its lightness is monotonic, so that it can be read without distinguishing hues.

Source: ColorBrewer 2.0, by C. Brewer.
"""

PRESENT: Final = "#225ea8"
"""The colour of existing rows without a share: a colour of the same map."""

MISSING: Final = "#d55e00"
"""The colour of missing rows: the vermillion of M. Okabe and K. Ito, "Color Universal Design", 2008, which differs from all blues."""

QUIET: Final = "#d9d9d9"
"""The colour of grid lines."""

Target = Axes | Figure | None
"""The target of a plot: axes; a figure, which gets axes and a suitable size; or None for a new figure of pyplot."""


def axes_on(target: Target, *, width: float, height: float) -> Axes:
    """Return the axes to draw on; the size, in inches, applies to figures only."""
    if isinstance(target, Axes):
        return target
    if target is None:
        import matplotlib.pyplot as plt

        target = plt.figure(layout="constrained")
    target.set_size_inches(width, height)
    return target.add_subplot()


def colour_bar(ax: Axes, drawn: Any, label: str, **options: Any) -> Any:
    """Add a colour bar to axes."""
    figure = ax.get_figure()
    assert figure is not None  # noqa: S101 - axes always belong to a figure
    bar = figure.colorbar(drawn, ax=ax, label=label, pad=0.02, **options)
    bar.outline.set_visible(False)
    return bar


def mark_missing(ax: Axes, absent: Any, extent: tuple[float, float, float, float], label: str) -> None:
    """Draw missing cells over an image, with a legend."""
    if not absent.any():
        return
    from numpy.ma import masked_equal

    ax.imshow(
        masked_equal(absent.astype(int), 0),
        cmap=ListedColormap([MISSING]),
        extent=extent,
        aspect="auto",
        interpolation="nearest",
    )
    legend(ax, [Patch(color=MISSING, label=label)])


def legend(ax: Axes, handles: list[Patch]) -> None:
    """Add a legend of colours above the axes, at the right."""
    ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(handles),
        frameon=False,
        borderaxespad=0.2,
        handlelength=1.0,
        handleheight=1.0,
        fontsize="small",
    )


def without_frame(ax: Axes) -> None:
    """Hide the frame and the tick marks of axes."""
    ax.spines[:].set_visible(False)
    ax.tick_params(which="both", length=0)
