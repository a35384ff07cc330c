"""The matrix: a cell for each partition by two integer keys, such as cycle and pass."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from zcollection_coverage import Coverage, Matrix

from zcollection.plugin import SettingError, accepted
from zcollection_plot.axes import SHARE, Target, axes_on, colour_bar, mark_missing, without_frame

Values = Literal["rows", "share"]


def matrix_of(found: Coverage) -> Matrix | None:
    """Return the matrix of a coverage; None unless the keys of its partitions are two integers."""
    cells = found.matrix
    is_of_integers = cells is not None and all(
        type(value) is int for value in (*cells.row_values, *cells.column_values)
    )
    return cells if is_of_integers else None


def matrix(found: Coverage, *, values: Values = "rows", ax: Target = None, cmap: Any = SHARE) -> Axes:
    """Draw the partitions by their two key fields, such as cycle and pass: the first field downwards, the second one to the right.

    Missing partitions have a separate colour, but not those before the first partition or after the last one. It draws two images:
    the masked array of values, and the missing partitions.

    Parameters
    ----------
    found
        The coverage, partitioned by two integers.
    values
        The values of the cells: "rows", the number of rows, or "share", the share of the rows expected between the first and the
        last row of the partition.
    ax
        The axes to draw on. None creates a figure of pyplot; a `matplotlib.figure.Figure` gets axes and a suitable size.
    cmap
        The colour map of the values.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SettingError
        The keys of the partitions are not two integers, or `values` is not accepted.

    Examples
    --------
    >>> import numpy as np
    >>> import zcollection as zc
    >>> from matplotlib.figure import Figure
    >>> schema = zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",))
    >>> for name in ("cycle", "pass"):
    ...     schema = schema.with_variable(name, dtype="int64", dimensions=("time",))
    >>> track = zc.create_collection("memory://passes", schema=schema, axis="time", partitioning="sequence:cycle,pass")
    >>> _ = track.insert({"time": np.arange(6), "cycle": [1, 1, 1, 2, 3, 3], "pass": [1, 1, 2, 1, 1, 2]})
    >>> axes = matrix(track.coverage(), ax=Figure().subplots())
    >>> axes.images[0].get_array().tolist()
    [[2, 1], [1, None], [1, 1]]
    """
    if values not in {"rows", "share"}:
        message = f"values={values!r}; {accepted(values, ['rows', 'share'])}"
        raise SettingError(message)
    cells = matrix_of(found)
    if cells is None:
        message = (
            f"kind='matrix' for partitions with the keys {_example(found)}; accepted: keys of two integers, such as cycle and "
            f"pass; use kind='timeline', or 'calendar'"
        )
        raise SettingError(message)
    count, width = cells.rows.shape
    ax = axes_on(ax, width=8, height=float(np.clip(1.5 + 0.16 * count, 3, 9)))
    extent = (-0.5, width - 0.5, count - 0.5, -0.5)
    _colour(ax, cells, values, extent, cmap)
    mark_missing(ax, cells.absent, extent, "missing")
    for axis, name, numbers in (
        (ax.xaxis, cells.column_name, cells.column_values),
        (ax.yaxis, cells.row_name, cells.row_values),
    ):
        axis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        axis.set_major_formatter(FuncFormatter(_values_at(numbers)))
        axis.set_label_text(name)
    ax.set_title(found.axis, loc="left", fontsize="medium")
    return ax


def _colour(ax: Axes, cells: Matrix, values: Values, extent: tuple[float, float, float, float], cmap: Any) -> None:
    numbers: NDArray[Any] = cells.shares if values == "share" else cells.rows
    exists = cells.rows > 0
    shown = np.ma.masked_where(~exists | np.isnan(numbers), numbers)
    largest = 1 if values == "share" else cells.rows.max()
    without_frame(ax)
    image = ax.imshow(shown, cmap=cmap, vmin=0, vmax=largest, extent=extent, aspect="auto", interpolation="nearest")
    if values == "share":
        colour_bar(ax, image, "rows, of those expected", format=PercentFormatter(1), aspect=30)
    else:
        colour_bar(ax, image, "rows", aspect=30)


def _values_at(numbers: Sequence[int]) -> Any:
    """Return a formatter of ticks: the value at an integer position, else ""."""

    def name(position: float, _: int | None = None) -> str:
        number = round(position)
        return f"{numbers[number]}" if number == position and 0 <= number < len(numbers) else ""

    return name


def _example(found: Coverage) -> str:
    return f"{dict(found.partitions[0].key)}" if found.partitions else "{}"
