"""The map of the positions of rows, coloured by a variable."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import frozen
from matplotlib.axes import Axes
from numpy.typing import NDArray

from zcollection import Collection, View
from zcollection.plugin import Dataset, Rows, SettingError, Variable
from zcollection_plot.axes import PRESENT, QUIET, Target, axes_on, colour_bar
from zcollection_plot.coastlines import draw_coastlines
from zcollection_plot.dates import show_dates
from zcollection_plot.ground import Extent, cut_at, extent_of, show, turned
from zcollection_plot.positions import Names, Values, described
from zcollection_plot.thinning import Thinned, blocks_of, every_nth, some_of

POINTS: Final = 20_000
"""The default largest number of points: more than a screen can resolve."""

_CHUNK: Final = 4096
"""The approximate number of rows in a chunk if the schema does not state it."""

_FAR: Final = 10
"""Points are not joined if their distance exceeds this multiple of the median distance."""

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
    """Draw the positions of rows on a map, coloured by a variable.

    With a variable, the rows are the points of a scatter plot; without, the positions are a line. The line is interrupted at the
    edge of the map, where rows are left out, and where the distance between rows is more than ten times the median. Rows without a
    position or a value are left out.

    If there are more than `points` rows, a part is drawn, and the title states how many: every n-th of the rows in memory. For
    collections and lazy datasets, about 16 times as many rows as are drawn are read at most, in a part of the chunks. With `where`,
    only chunks that may contain such rows are read.

    Without axes of cartopy, the map is flat (equirectangular if it shows the whole Earth).

    Parameters
    ----------
    source
        A collection, a view or a dataset.
    variable
        The variable that colours the rows: numbers or times, with the dimensions of latitude and longitude. None draws a line.
    filters, where
        The partitions and the rows of a collection or view, as for `Collection.query`.
    latitude, longitude
        The variables of the positions; by default found by the CF attributes ``units`` or ``standard_name``, or by their names.
    points
        The largest number of points; for a variable with two dimensions, each value is a point.
    centre
        The longitude in the middle of the map. By default a regional map is centred on the rows; other maps are cut at the limit of
        the longitude convention, at 180° or at 0°.
    robust
        Whether the range of colours ignores 2 % of the values at each end.
    coastlines
        None draws those of Natural Earth if cartopy and the files are installed; nothing is downloaded. True raises if they are not
        available; False draws none.
    ax
        The axes to draw on, also those of cartopy. None creates a figure of pyplot; a `matplotlib.figure.Figure` gets axes and a
        suitable size.
    **style
        Options of `matplotlib.axes.Axes.scatter`, such as ``cmap``, ``vmin``, ``norm`` and ``s``; without a variable, of ``plot``. By
        default, values with both signs have the colour map "RdBu_r", centred on 0, and all others "viridis".

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SchemaError
        A variable is unknown, has neither numbers nor times, or its values have no positions.
    SettingError
        `points` is not a positive integer, or coastlines are required and not available.

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
        message = f"points={points!r}; accepted: an integer, 1 or more"
        raise SettingError(message)
    names = Names.of(source.schema, variable, latitude=latitude, longitude=longitude)
    read = _read(source, names, filters, where, points)
    drawn = Drawn.of(read, names, centre)
    ax = axes_on(ax, width=8, height=_height(drawn.extent))
    crs = _projection(ax)
    projection = {} if crs is None else {"transform": crs}
    draw_coastlines(
        ax,
        drawn.extent,
        required=coastlines,
        transform=None if crs is None else crs._as_mpl_transform(ax),  # noqa: SLF001 - cartopy has no public one
    )
    if names.variable is None:
        ax.plot(*drawn.line(read.thinned), **{"color": PRESENT, "linewidth": 1.0, **projection, **style})
    else:
        _scatter(ax, drawn, read.variables[names.variable], robust=robust, style={**projection, **style})
    if crs is None:
        show(ax, drawn.extent)
    else:
        ax.gridlines(color=QUIET, linewidth=0.6)  # type: ignore[attr-defined]  # axes of cartopy
    _set_title(ax, read, drawn)
    return ax


@frozen(eq=False, kw_only=True)
class Read:
    """Rows that were read.

    Attributes
    ----------
    variables
        The variables in memory, by path.
    thinned
        Their positions among all rows.
    """

    variables: Mapping[str, Variable]
    thinned: Thinned


def _read(source: Source, names: Names, filters: Any, where: Any, points: int) -> Read:
    if isinstance(source, Dataset):
        if filters is not None or where is not None:
            message = "filters and where select rows of a collection or a view; accepted: None for a dataset; use isel() to select its rows"
            raise SettingError(message)
        dataset: Dataset | None = source.select(names.paths)
        blocks = None
    else:
        dataset, blocks = _queried(source, names, filters, where)
    if dataset is None:
        no_rows = every_nth(0, points)
        empty = {path: _without_rows(source.schema.get_variable(path)) for path in names.paths}
        return Read(variables=empty, thinned=no_rows)
    thinned = _thinned(dataset, names, blocks, points)
    rows = dataset.get_variable(names.latitude).dimensions[0]
    chosen = dataset.isel({rows: thinned.positions}) if thinned.positions.size < thinned.total else dataset
    variables = {path: chosen.get_variable(f"/{path}") for path in names.paths}
    return Read(
        variables={path: Variable(each.schema, each.to_numpy()) for path, each in variables.items()}, thinned=thinned
    )


def _queried(
    source: Collection | View, names: Names, filters: Any, where: Any
) -> tuple[Dataset | None, NDArray[np.int64]]:
    """Return lazy rows, and their number in each chunk."""
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
    if blocks is None or blocks.sum() != shape[0]:  # unknown, or of another version than the rows
        blocks = blocks_of([np.array([[0, shape[0]]], np.int64)], _CHUNK)
    return some_of(blocks, limit)


def _without_rows(schema: Any) -> Variable:
    return Variable(schema, np.empty((0,) * len(schema.dimensions), schema.dtype))


@frozen(eq=False, kw_only=True)
class Drawn:
    """The content of a map.

    Attributes
    ----------
    longitude, latitude
        float64, shape (points,): the positions of all points that were read, NaN if missing.
    values
        The values of the points, of the same shape; None without a variable.
    extent
        The extent of the map.
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
        """Whether a point has a position, and a value if there is a variable."""
        known = np.isfinite(self.longitude)
        return known if self.values is None else known & np.isfinite(self.values.numbers)

    def line(self, thinned: Thinned) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the positions, with NaN where the line is interrupted."""
        longitude, latitude = (each.reshape(each.shape[0], -1) for each in (self.longitude, self.latitude))
        # The middle of a swath.
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
    """Return the distance of each point from the previous one, as a chord of the unit sphere."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    steps: NDArray[np.float64] = np.linalg.norm(np.diff(vectors, axis=1), axis=0)
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
    """Return the default colour map of values and its limits."""
    if "norm" in style or not numbers.size:
        return {}
    low, high = np.percentile(numbers, (2, 98)) if robust else (numbers.min(), numbers.max())
    low, high = style.get("vmin", low), style.get("vmax", high)
    if is_time or not low < 0 < high or "cmap" in style:
        return {"cmap": "viridis", "vmin": low, "vmax": high}
    furthest = max(-low, high)
    return {"cmap": "RdBu_r", "vmin": style.get("vmin", -furthest), "vmax": style.get("vmax", furthest)}


def _height(extent: Extent) -> float:
    """Return the height, in inches, of a figure that is 8 inches wide."""
    ratio = (extent.north - extent.south) * extent.aspect / (extent.east - extent.west)
    return float(np.clip(7.4 * ratio + 1.3, 3, 8))


def _projection(ax: Axes) -> Any:
    """Return the coordinate system of degrees for axes of cartopy; None for other axes."""
    if not type(ax).__module__.startswith("cartopy."):
        return None
    from cartopy.crs import PlateCarree

    return PlateCarree()


def _set_title(ax: Axes, read: Read, drawn: Drawn) -> None:
    total, drawn_rows = read.thinned.total, read.thinned.positions.size
    if not drawn.is_seen.any():
        ax.set_title("no rows" if not total else "no row has a position and a value", loc="right", fontsize="small")
    elif drawn_rows < total:
        ax.set_title(f"{drawn_rows:,} of {total:,} rows", loc="right", fontsize="small", color="0.4")
