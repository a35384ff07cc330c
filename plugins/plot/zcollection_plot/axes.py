"""The axes to draw on, and the colours that all pictures share."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

SHARE: Final = "YlGnBu"
"""Colour map of what is there, from little to all: of one direction in lightness, so that no hue has to be told from another.

Source: ColorBrewer 2.0, by C. Brewer.
"""

THERE: Final = "#225ea8"
"""What is there, where there is no more to be said of it: a colour of the same map."""

MISSING: Final = "#d55e00"
"""What is missing: the vermillion of M. Okabe and K. Ito, "Color Universal Design", 2008, which is in no map of blues."""

QUIET: Final = "#d9d9d9"
"""Lines of grids, in the background."""

Target = Axes | Figure | None
"""What to draw on: axes; a figure, which gets axes and the size that suits them; or None for a new figure of pyplot."""


def axes_on(target: Target, *, width: float, height: float) -> Axes:
    """Return the axes to draw on, in inches of the figure where that is ours to choose."""
    if isinstance(target, Axes):
        return target
    if target is None:
        import matplotlib.pyplot as plt

        target = plt.figure(layout="constrained")
    target.set_size_inches(width, height)
    return target.add_subplot()


def colour_bar(ax: Axes, drawn: Any, label: str, **options: Any) -> Any:
    """Add a bar of colours beside axes."""
    figure = ax.get_figure()
    assert figure is not None  # noqa: S101 - axes that were never in a figure cannot have been drawn on
    bar = figure.colorbar(drawn, ax=ax, label=label, pad=0.02, **options)
    bar.outline.set_visible(False)
    return bar


def mark_missing(ax: Axes, absent: Any, extent: tuple[float, float, float, float], label: str) -> None:
    """Draw cells that are missing over an image, and say what their colour means."""
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
    """Say above the axes, at the right, what colours mean."""
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
    """Take away the box round axes, and the marks of ticks, of which the labels say enough."""
    ax.spines[:].set_visible(False)
    ax.tick_params(which="both", length=0)
