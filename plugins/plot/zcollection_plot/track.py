"""The map of where rows are, coloured by a variable."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen
from matplotlib.axes import Axes
from numpy.typing import NDArray

from zcollection import Collection, View
from zcollection.plugin import Dataset, Rows, SettingError, Variable
from zcollection_plot.axes import QUIET, THERE, Target, axes_on, colour_bar
from zcollection_plot.coastlines import draw_coastlines
from zcollection_plot.dates import show_dates
from zcollection_plot.ground import Extent, cut_at, extent_of, show, turned
from zcollection_plot.positions import Names, Values, described
from zcollection_plot.thinning import Thinned, blocks_of, every_nth, some_of

POINTS: Final = 20_000
"""Points that are drawn at most by default: more than a screen tells apart."""

_CHUNK: Final = 4096
"""Rows of a chunk where the schema leaves them to the engine, about."""

_FAR: Final = 10
"""How many times as far as usual a point may be from the one before, for a line to join them."""

Source = Collection | View | Dataset


def track(
    source: Source,
    variable: str | None = None,
    *,
    filters: Any = None,
    where: Any = None,
    latitude: str | None = None,
    longitude: str | None = None,
    points: int = POINTS,
    centre: float | None = None,
    robust: bool = False,
    coastlines: bool | None = None,
    ax: Target = None,
    **style: Any,
) -> Axes:
    """Draw where rows are on a map, coloured by a variable.

    With a variable each row is a point, drawn as one scatter; without, the positions are a line. A line does not join points over
    the edge of the map, nor where some are missing: where rows are left out, or one is more than ten times as far from the one
    before as is usual. Rows of which the position or the value is missing are left out.

    Of more than `points` rows some are drawn, and the title says how many. Of rows in memory that is every n-th. Of a collection, and
    of what is lazy, no more than about 16 times as many rows are read as are drawn, whatever its size: one chunk of every so many, at a place
    that moves along, and of these every n-th row. With `where` only what may hold such rows is read.

    Without axes of cartopy the map is flat, a degree of longitude as long as one of latitude where it shows all of the Earth.

    Parameters
    ----------
    source
        A collection, a view or a dataset.
    variable
        What colours the rows: numbers or times, with the same dimensions as their latitude and longitude. None draws the positions.
    filters, where
        Which partitions and which rows of a collection or view, as for `Collection.query`.
    latitude, longitude
        The variables that say where rows are; by default the only ones by their CF attributes ``units`` or ``standard_name``, else by
        their names.
    points
        Points that are drawn at most; of a variable with two dimensions each row has as many as it is wide.
    centre
        The longitude in the middle of the map. By default rows of a region are in the middle; all others are cut where their
        convention is, at 180° or at 0°.
    robust
        Leave 2 % of the values at each end out of account when colours are chosen.
    coastlines
        None draws those of Natural Earth where cartopy is installed and has them on this machine; nothing is downloaded. True raises
        where it has not; False draws none.
    ax
        Axes to draw on, those of cartopy too. None makes a figure of pyplot; a `matplotlib.figure.Figure` gets axes, and the size
        that suits them.
    **style
        As for `matplotlib.axes.Axes.scatter`, such as ``cmap``, ``vmin``, ``norm`` and ``s``; without a variable for ``plot``. By
        default values on both sides of 0 have the colours "RdBu_r" as far from it, all others "viridis".

    Returns
    -------
    matplotlib.axes.Axes
        Those that were drawn on.

    Raises
    ------
    SchemaError
        A variable is unknown, is neither numbers nor times, or has no position for each value.
    SettingError
        `points` is no number of points, or coastlines are wanted that are not there.

    Examples
    --------
    >>> import numpy as np
    >>> import zcollection as zc
    >>> from matplotlib.figure import Figure
    >>> schema = zc.Schema().with_dimension("time")
    >>> for name, units in (("lat", "degrees_north"), ("lon", "degrees_east"), ("ssh", "m")):
    ...     schema = schema.with_variable(name, dtype="float64", dimensions=("time",), attrs={"units": units})
    >>> rows = zc.Dataset(schema.build(), {"lat": [10, 11, 12], "lon": [178, 179, -179.5], "ssh": [0.1, np.nan, 0.3]})
    >>> axes = track(rows, "ssh", ax=Figure().subplots())
    >>> axes.collections[0].get_offsets().tolist()
    [[178.0, 10.0], [180.5, 12.0]]
    """
    if points < 1 or int(points) != points:
        message = f"points={points!r}; accepted: a number of points, 1 or more"
        raise SettingError(message)
    names = Names.of(source.schema, variable, latitude=latitude, longitude=longitude)
    read = _read(source, names, filters, where, points)
    drawn = Drawn.of(read, names, centre)
    ax = axes_on(ax, width=8, height=_height(drawn.extent))
    crs = _projection(ax)
    where_to = {} if crs is None else {"transform": crs}
    draw_coastlines(
        ax,
        drawn.extent,
        wanted=coastlines,
        transform=None if crs is None else crs._as_mpl_transform(ax),  # noqa: SLF001 - cartopy has no other
    )
    if names.variable is None:
        ax.plot(*drawn.line(read.thinned), **{"color": THERE, "linewidth": 1.0, **where_to, **style})
    else:
        _scatter(ax, drawn, read.variables[names.variable], robust=robust, style={**where_to, **style})
    if crs is None:
        show(ax, drawn.extent)
    else:
        ax.gridlines(color=QUIET, linewidth=0.6)  # type: ignore[attr-defined]  # axes of cartopy
    _tell(ax, read, drawn)
    return ax


@frozen(eq=False, kw_only=True)
class Read:
    """Rows that were read.

    Attributes
    ----------
    variables
        By path, in memory.
    thinned
        Which of all rows they are.
    """

    variables: Mapping[str, Variable]
    thinned: Thinned


def _read(source: Source, names: Names, filters: Any, where: Any, points: int) -> Read:
    if isinstance(source, Dataset):
        if filters is not None or where is not None:
            message = "filters and where choose rows of a collection or a view; accepted: None for a dataset, of which isel() selects"
            raise SettingError(message)
        dataset: Dataset | None = source.select(names.paths)
        blocks = None
    else:
        dataset, blocks = _asked(source, names, filters, where)
    if dataset is None:
        nothing = every_nth(0, points)
        empty = {path: _without_rows(source.schema.get_variable(path)) for path in names.paths}
        return Read(variables=empty, thinned=nothing)
    thinned = _thinned(dataset, names, blocks, points)
    rows = dataset.get_variable(names.latitude).dimensions[0]
    chosen = dataset.isel({rows: thinned.positions}) if thinned.positions.size < thinned.total else dataset
    variables = {path: chosen.get_variable(f"/{path}") for path in names.paths}
    return Read(
        variables={path: Variable(each.schema, each.to_numpy()) for path, each in variables.items()}, thinned=thinned
    )


def _asked(
    source: Collection | View, names: Names, filters: Any, where: Any
) -> tuple[Dataset | None, NDArray[np.int64]]:
    """Return rows, of which nothing is read yet, and how many of them lie in each chunk."""
    if where is None:
        base = source.base if isinstance(source, View) else source
        counts = [record.rows for record in base.records(filters=filters).values()]
        ranges = [np.array([[0, count]], np.int64) for count in counts]
    else:
        where = where if isinstance(where, Rows) else source.find(where, filters=filters)
        ranges = [*where.ranges.values()]
    dataset = source.query(filters=filters, where=where, variables=names.paths, lazy=True)
    dimension = source.schema.find_dimension("", source.dimension)
    length = None if dimension is None else dimension.chunks
    return dataset, blocks_of(ranges, length or _CHUNK)


def _thinned(dataset: Dataset, names: Names, blocks: NDArray[np.int64] | None, points: int) -> Thinned:
    shape = dataset.get_variable(f"/{names.latitude}").shape
    limit = max(points // max(int(np.prod(shape[1:])), 1), 1)
    if not dataset.is_lazy:
        return every_nth(shape[0], limit)
    if (
        blocks is None or blocks.sum() != shape[0]
    ):  # of another version than the rows, or of rows that somebody selected
        blocks = blocks_of([np.array([[0, shape[0]]], np.int64)], _CHUNK)
    return some_of(blocks, limit)


def _without_rows(schema: Any) -> Variable:
    return Variable(schema, np.empty((0,) * len(schema.dimensions), schema.dtype))


@frozen(eq=False, kw_only=True)
class Drawn:
    """What is on the map.

    Attributes
    ----------
    longitude, latitude
        float64, shape (points,): of all points that were read, NaN where the position is missing.
    values
        What colours them, of the same shape; None for nothing.
    extent
        What the map shows.
    """

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    values: Values | None
    extent: Extent

    @classmethod
    def of(cls, read: Read, names: Names, centre: float | None) -> "Drawn":
        """Return the points of rows."""
        longitude, latitude = (Values.of(read.variables[path]).numbers for path in (names.longitude, names.latitude))
        known = np.isfinite(longitude) & np.isfinite(latitude)
        values = None if names.variable is None else Values.of(read.variables[names.variable])
        west = cut_at(longitude[known], centre)
        longitude = turned(longitude, west)
        seen = known if values is None else known & np.isfinite(values.numbers)
        return cls(
            longitude=np.where(known, longitude, np.nan),
            latitude=np.where(known, latitude, np.nan),
            values=values,
            extent=extent_of(longitude[seen], latitude[seen], west),
        )

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """Which points have a position, and a value where one is drawn."""
        known = np.isfinite(self.longitude)
        return known if self.values is None else known & np.isfinite(self.values.numbers)

    def line(self, thinned: Thinned) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the positions, with NaN where a line does not join two of them."""
        longitude, latitude = (each.reshape(each.shape[0], -1) for each in (self.longitude, self.latitude))
        # Of a swath its middle.
        longitude, latitude = (each[:, each.shape[1] // 2] for each in (longitude, latitude))
        known = np.isfinite(longitude)
        steps = _steps(longitude, latitude)
        breaks = np.abs(np.diff(longitude)) > 180
        breaks |= thinned.is_apart
        usual = np.nanmedian(steps[known[1:] & known[:-1]]) if (known[1:] & known[:-1]).any() else np.nan
        breaks |= steps > _FAR * usual
        at = np.flatnonzero(breaks) + 1
        return np.insert(longitude, at, np.nan), np.insert(latitude, at, np.nan)


def _steps(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each point is from the one before, as the chord through a sphere of the radius 1."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    places = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    steps: NDArray[np.float64] = np.linalg.norm(np.diff(places, axis=1), axis=0)
    return steps


def _scatter(ax: Axes, drawn: Drawn, variable: Variable, *, robust: bool, style: dict[str, Any]) -> None:
    assert drawn.values is not None  # noqa: S101 - there is a variable
    seen = drawn.is_seen
    numbers = drawn.values.numbers[seen]
    options = {**_colours(numbers, style, robust=robust, is_time=drawn.values.calendar is not None), **style}
    options.setdefault("s", float(np.clip(40_000 / max(numbers.size, 1), 3, 30)))
    points = ax.scatter(
        drawn.longitude[seen], drawn.latitude[seen], c=numbers, **{"linewidths": 0, "zorder": 2, **options}
    )
    wide = _height(drawn.extent) < 6
    layout = {"orientation": "horizontal", "aspect": 45, "shrink": 0.7} if wide else {"aspect": 30, "shrink": 0.8}
    if wide:
        layout["fraction"] = 0.06
    bar = colour_bar(ax, points, described(variable), **layout)
    if drawn.values.calendar is not None:
        show_dates(bar.ax.xaxis if wide else bar.ax.yaxis, drawn.values.calendar)


def _colours(numbers: NDArray[np.float64], style: Mapping[str, Any], *, robust: bool, is_time: bool) -> dict[str, Any]:
    """Return the colour map of values and its ends, as far as the caller does not say them."""
    if "norm" in style or not numbers.size:
        return {}
    low, high = np.percentile(numbers, (2, 98)) if robust else (numbers.min(), numbers.max())
    low, high = style.get("vmin", low), style.get("vmax", high)
    if is_time or not low < 0 < high or "cmap" in style:
        return {"cmap": "viridis", "vmin": low, "vmax": high}
    furthest = max(-low, high)
    return {"cmap": "RdBu_r", "vmin": style.get("vmin", -furthest), "vmax": style.get("vmax", furthest)}


def _height(extent: Extent) -> float:
    """Return how high a figure is that is 8 inches wide."""
    ratio = (extent.north - extent.south) * extent.aspect / (extent.east - extent.west)
    return float(np.clip(7.4 * ratio + 1.3, 3, 8))


def _projection(ax: Axes) -> Any:
    """Return the transformation from degrees to axes of cartopy; None for all others."""
    if not type(ax).__module__.startswith("cartopy."):
        return None
    from cartopy.crs import PlateCarree

    return PlateCarree()


def _tell(ax: Axes, read: Read, drawn: Drawn) -> None:
    total, there = read.thinned.total, read.thinned.positions.size
    if not drawn.is_seen.any():
        ax.set_title("no rows" if not total else "no row has a position and a value", loc="right", fontsize="small")
    elif there < total:
        ax.set_title(f"{there:,} of {total:,} rows", loc="right", fontsize="small", color="0.4")
