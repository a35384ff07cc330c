"""The positions of rows on a map, from the zones in the statistics; values are read only where zones are missing or too wide."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from zcollection_coverage.drawing import WIDTH, figure, legend

from zcollection import Collection
from zcollection.plugin import Key, VariableSchema, ZCollectionError, tag
from zcollection_report.facts import Facts, among, spread
from zcollection_report.page import Chapter, facts

_HEIGHT: Final = WIDTH // 2
_MOST_POINTS: Final = 6000
_WIDEST: Final = 40.0
"""Zones wider than this many degrees are not drawn: the positions in them are too uncertain."""

_READ: Final = 40
"""The number of partitions whose positions are read if the statistics are insufficient."""

_MOST_ROWS: Final = 500_000
_FAR: Final = 45.0
"""Points further apart than this many degrees on a great circle are not joined."""


@frozen(eq=False)
class Track:
    """Consecutive positions.

    Attributes
    ----------
    latitudes, longitudes
        In degrees north and east, longitudes from -180 to 180; shape (n,).
    """

    latitudes: NDArray[np.float64]
    longitudes: NDArray[np.float64]

    def lines(self) -> Iterator[NDArray[np.float64]]:
        """Yield lines of positions as longitude and latitude, shape (n, 2); a line never crosses the date line."""
        points = np.column_stack([self.longitudes, self.latitudes])
        east, north = np.radians(np.diff(self.longitudes)), np.radians(self.latitudes)
        near = np.sin(north[1:]) * np.sin(north[:-1]) + np.cos(north[1:]) * np.cos(north[:-1]) * np.cos(east)
        breaks = np.flatnonzero((np.abs(east) > np.pi) | (near < np.cos(np.radians(_FAR)))) + 1
        for first, last in pairwise([0, *breaks.tolist(), len(points)]):
            if last > first:
                yield points[first:last]


def places(found: Facts, sample: int | None) -> Chapter | None:
    """Return the chapter of the map; None if rows have no latitude and longitude."""
    names = coordinates(found.rows)
    if names is None:
        return None
    try:
        tracks, origin = tracks_of(found, names, sample)
    except ZCollectionError as error:
        return Chapter("map", "Positions", [tag("p", f"Positions are unknown: {error}")])
    if not tracks:
        return Chapter("map", "Positions", [tag("p", "No row has a latitude and a longitude.")])
    latitudes = np.concatenate([track.latitudes for track in tracks])
    longitudes = np.concatenate([track.longitudes for track in tracks])
    pairs = {
        "latitude, longitude": ", ".join(names),
        "drawn": origin,
        "from south to north": f"{latitudes.min():.4g}° to {latitudes.max():.4g}°",
        "from west to east": f"{longitudes.min():.4g}° to {longitudes.max():.4g}°",
    }
    return Chapter("map", "Positions", [tag("div", world(tracks), facts(pairs), class_="zc-pair")])


def coordinates(collection: Collection) -> tuple[str, str] | None:
    """Return the paths of latitude and longitude by their CF attributes; None if there are none."""
    along = {
        path: variable
        for path, variable in collection.schema.all_variables().items()
        if variable.dimensions == (collection.dimension,) and variable.dtype.kind in "fiu"
    }
    latitude = next((path for path, variable in along.items() if _is(variable, "latitude", "north")), None)
    longitude = next((path for path, variable in along.items() if _is(variable, "longitude", "east")), None)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _is(variable: VariableSchema, name: str, side: str) -> bool:
    """Return whether a variable is a latitude or a longitude; CF conventions 1.11, 4.1 and 4.2."""
    units = f"{variable.attrs.get('units', '')}".replace("degrees", "degree").replace("_", "")
    return variable.attrs.get("standard_name") == name or units in {f"degree{side}", f"degree{side[0].upper()}"}


def tracks_of(found: Facts, names: tuple[str, str], sample: int | None) -> tuple[list[Track], str]:
    """Return positions, and their origin as text."""
    keys = [Key(record.key) for record in found.records.values()]
    chosen = spread(keys, sample)
    zones = found.rows.zones(variables=names, filters=among(chosen, of=keys))
    tracks, known, wide = [], 0, 0
    for item in zones:
        track, count = _middles(item.zones, names)
        known += len(track.latitudes)
        wide += count
        tracks += [track] if len(track.latitudes) else []
    some = f"{len(chosen):,} partitions" if len(chosen) == len(keys) else f"{len(chosen):,} of {len(keys):,} partitions"
    if known > wide or not chosen:
        left_out = f", without {wide:,} that are too wide" if wide else ""
        return _thinned(tracks), f"the middle of every 256 rows of {some}, by the statistics{left_out}"
    return _read(found, names, keys)


def _middles(zones: Any, names: tuple[str, str]) -> tuple[Track, int]:
    """Return the centres of narrow zones, and the number of wide zones."""
    if any(name not in zones for name in names):
        return Track(np.empty(0), np.empty(0)), 1
    north, east = (zones[name] for name in names)
    known = north.known & east.known & ~north.empty & ~east.empty
    lower, upper = np.asarray(east.lower, np.float64), np.asarray(east.upper, np.float64)
    south, top = np.asarray(north.lower, np.float64), np.asarray(north.upper, np.float64)
    narrow = known & (upper - lower <= _WIDEST) & (top - south <= _WIDEST)
    track = _track((south + top)[narrow] / 2, (lower + upper)[narrow] / 2)
    return track, int(known.sum() - narrow.sum())


def _track(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> Track:
    """Return the valid positions as a track."""
    right = (np.abs(latitudes) <= 90) & (np.abs(longitudes) <= 360)
    return Track(latitudes[right], (longitudes[right] + 180) % 360 - 180)


def _read(found: Facts, names: tuple[str, str], keys: Sequence[Key]) -> tuple[list[Track], str]:
    """Return positions that are read from some partitions, with a limited number of rows."""
    records = {tuple(record.key.values()): record for record in found.records.values()}
    chosen: list[Key] = []
    rows = 0
    for key in spread(keys, _READ):
        rows += records[tuple(key.values())].rows
        if chosen and rows > _MOST_ROWS:
            break
        chosen.append(key)
    tracks = found.rows.map(
        lambda dataset: _track(*(_degrees(dataset[name]) for name in names)),
        filters=among(chosen, of=keys),
        variables=names,
    )
    known = [track for track in tracks.values() if len(track.latitudes)]
    return _thinned(known), f"rows of {len(chosen):,} of {len(keys):,} partitions"


def _degrees(variable: Any) -> NDArray[np.float64]:
    """Return values as numbers; missing ones become NaN."""
    values = np.asarray(variable.to_numpy(), np.float64)
    fill = variable.schema.fill_value
    return values if fill is None else np.where(values == float(fill), np.nan, values)


def _thinned(tracks: list[Track]) -> list[Track]:
    """Return every n-th position, to limit their number."""
    step = -(-sum(len(track.latitudes) for track in tracks) // _MOST_POINTS)
    if step <= 1:
        return tracks
    if len(tracks) > _MOST_POINTS // 4:
        return tracks[::step]
    return [Track(track.latitudes[::step], track.longitudes[::step]) for track in tracks]


def world(tracks: Sequence[Track]) -> Element:
    """Return a map of the world, equirectangular, with a line every 30 degrees."""
    lines = [line for track in tracks for line in track.lines()]
    count = sum(len(line) for line in lines)
    description = f"{count:,} positions on an equirectangular map, with meridians and parallels every 30 degrees."
    shapes = [*_graticule(), *_drawn(lines)]
    return figure("Positions of the rows", description, height=_HEIGHT + 22, shapes=shapes, legend=legend({}))


def _x(longitude: Any) -> Any:
    return (longitude + 180) * (WIDTH - 56) / 360 + 36


def _y(latitude: Any) -> Any:
    return (90 - latitude) * (_HEIGHT - 10) / 180 + 6


def _graticule() -> Iterator[Element]:
    for longitude in range(-180, 181, 30):
        yield tag("path", class_="zc-frame", d=f"M{_x(longitude):.1f} {_y(90):.1f}V{_y(-90):.1f}")
        side = "" if longitude % 180 == 0 else "W" if longitude < 0 else "E"
        if longitude % 60 == 0:
            yield tag(
                "text", f"{abs(longitude)}°{side}", x=_x(longitude), y=_HEIGHT + 14, text_anchor="middle", font_size=11
            )
    for latitude in range(-90, 91, 30):
        yield tag("path", class_="zc-frame", d=f"M{_x(-180):.1f} {_y(latitude):.1f}H{_x(180):.1f}")
        side = "" if latitude == 0 else "S" if latitude < 0 else "N"
        yield tag(
            "text", f"{abs(latitude)}°{side}", x=_x(-180) - 5, y=_y(latitude) + 4, text_anchor="end", font_size=11
        )


def _drawn(lines: Sequence[NDArray[np.float64]]) -> Iterator[Element]:
    paths, dots = [], []
    for line in lines:
        points = [f"{_x(longitude):.1f} {_y(latitude):.1f}" for longitude, latitude in line.tolist()]
        if len(set(points)) == 1:
            dots.append(points[0])
        else:
            paths.append(f"M{points[0]}L{' '.join(points[1:])}")
    if paths:
        yield tag("path", class_="zc-curve zc-thin", d="".join(paths))
    for point in dict.fromkeys(dots):
        x, _, y = point.partition(" ")
        yield tag("circle", class_="zc-dot", cx=x, cy=y, r=2.2)
