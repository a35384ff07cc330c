"""The matrix: a cell for each partition by two whole numbers, such as cycle and pass."""

from typing import Any, Literal

import numpy as np
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from zcollection_coverage import Coverage

from zcollection.plugin import Key, SettingError, accepted
from zcollection_plot.axes import SHARE, Target, axes_on, colour_bar, mark_missing, without_frame

Values = Literal["rows", "share"]


@frozen(eq=False, kw_only=True)
class Matrix:
    """Partitions by the two fields of their keys.

    Attributes
    ----------
    row_name, column_name
        The fields.
    row_values, column_values
        Their values, ascending: those of the partitions that are there, and of those that are missing.
    rows
        int64, shape (rows, columns): the rows of each partition, 0 where there is none.
    shares
        float64, of the same shape: the share of the rows expected; NaN where there is no partition, or nothing is expected.
    absent
        bool, of the same shape: partitions that are missing, as `Coverage.absent` has them.
    """

    row_name: str
    column_name: str
    row_values: NDArray[np.int64]
    column_values: NDArray[np.int64]
    rows: NDArray[np.int64]
    shares: NDArray[np.float64]
    absent: NDArray[np.bool_]


def matrix_of(found: Coverage) -> Matrix | None:
    """Return the partitions as a matrix; None where their keys are not two whole numbers."""
    keys = [part.key for part in found.partitions]
    if not keys or len(keys[0]) != 2 or not all(type(value) is int for key in keys for value in key.values()):
        return None
    first, second = keys[0]
    every = [*keys, *found.absent]
    row_values, column_values = (np.unique([int(key[name]) for key in every]) for name in (first, second))

    def places(chosen: list[Key]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        numbers = np.array([[key[first], key[second]] for key in chosen], np.int64).reshape(-1, 2)
        return np.searchsorted(row_values, numbers[:, 0]), np.searchsorted(column_values, numbers[:, 1])

    shape = len(row_values), len(column_values)
    rows, shares, absent = np.zeros(shape, np.int64), np.full(shape, np.nan), np.zeros(shape, np.bool_)
    rows[places(keys)] = [part.rows for part in found.partitions]
    shares[places(keys)] = [np.nan if part.share is None else part.share for part in found.partitions]
    absent[places([*found.absent])] = True
    return Matrix(
        row_name=first,
        column_name=second,
        row_values=row_values,
        column_values=column_values,
        rows=rows,
        shares=shares,
        absent=absent,
    )


def matrix(found: Coverage, *, values: Values = "rows", ax: Target = None, cmap: Any = SHARE) -> Axes:
    """Draw the partitions by the two fields of their keys, such as cycle and pass: the first one downwards, the other to the right.

    Partitions that are missing have a colour of their own. Those before the first partition and after the last one have none, for
    nobody expects them. It draws two images: the values, masked where there is no partition, and what is missing.

    Parameters
    ----------
    found
        What is covered, partitioned by two whole numbers.
    values
        What colours a cell: "rows", how many there are, or "share", the part that is there of those expected between the first and
        the last row of the partition.
    ax
        Axes to draw on. None makes a figure of pyplot; a `matplotlib.figure.Figure` gets axes, and the size that suits them.
    cmap
        Colour map of the values.

    Returns
    -------
    matplotlib.axes.Axes
        Those that were drawn on.

    Raises
    ------
    SettingError
        The keys of the partitions are no two whole numbers, or `values` is neither.

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
            f"kind='matrix' of partitions with the keys {_example(found)}; accepted: keys of two whole numbers, such as cycle and "
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
    there = cells.rows > 0
    shown = np.ma.masked_where(~there | np.isnan(numbers), numbers)
    largest = 1 if values == "share" else cells.rows.max()
    without_frame(ax)
    image = ax.imshow(shown, cmap=cmap, vmin=0, vmax=largest, extent=extent, aspect="auto", interpolation="nearest")
    if values == "share":
        colour_bar(ax, image, "rows, of those expected", format=PercentFormatter(1), aspect=30)
    else:
        colour_bar(ax, image, "rows", aspect=30)


def _values_at(numbers: NDArray[np.int64]) -> Any:
    """Return what names the ticks of an axis of positions: the value at each, nothing between and beyond them."""

    def name(position: float, _: int | None = None) -> str:
        number = round(position)
        return f"{numbers[number]}" if number == position and 0 <= number < len(numbers) else ""

    return name


def _example(found: Coverage) -> str:
    return f"{dict(found.partitions[0].key)}" if found.partitions else "of none"
