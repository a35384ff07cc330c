"""Coastlines of Natural Earth, as far as they lie on this machine: nothing is ever downloaded.

Source: cartopy, which looks for them below ``CARTOPY_DATA_DIR`` and in its own directory of data, and would fetch them else.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from zcollection.plugin import MissingDependencyError, SettingError
from zcollection_plot.ground import TURN, Extent

_RESOLUTIONS: Final = ("110m", "50m", "10m")
_WIDTHS: Final = (90.0, 15.0)
"""Degrees of longitude from which on the first of these resolutions is enough, and the second."""


def draw_coastlines(ax: Axes, extent: Extent, *, wanted: bool | None, transform: Any = None) -> None:
    """Draw the coastlines of a map.

    Parameters
    ----------
    ax
        Its axes.
    extent
        What it shows.
    wanted
        True raises where there are none; None draws those that there are; False draws none.
    transform
        Of axes of cartopy, from degrees to theirs.

    Raises
    ------
    MissingDependencyError
        They are wanted, and cartopy is not installed.
    SettingError
        They are wanted, and Natural Earth's are not on this machine.
    """
    if wanted is False:
        return
    lines = _lines(extent, wanted=bool(wanted))
    if lines:
        style = {} if transform is None else {"transform": transform}
        ax.add_collection(LineCollection(lines, colors="0.4", linewidths=0.6, zorder=1.5, **style), autolim=False)


def _lines(extent: Extent, *, wanted: bool) -> list[NDArray[np.float64]]:
    try:
        from cartopy.io.shapereader import Reader
    except ImportError as error:
        if wanted:
            message = "coastlines need 'cartopy', which is not installed: pip install 'zcollection-plot[coastlines]'"
            raise MissingDependencyError(message) from error
        return []
    file = _file(extent)
    if file is None:
        if wanted:
            message = (
                "coastlines of Natural Earth are not on this machine, and are never downloaded here; accepted: coastlines=None, or "
                "such files below CARTOPY_DATA_DIR, as cartopy's cartopy_feature_download.py puts them there: "
                "shapefiles/natural_earth/physical/ne_110m_coastline.shp"
            )
            raise SettingError(message)
        return []
    return [*_visible(_coordinates(Reader(file).geometries()), extent)]


def _file(extent: Extent) -> Path | None:
    """Return the file with the resolution that suits a map, or else the next one that there is."""
    from cartopy import config
    from cartopy.io import Downloader

    width = extent.east - extent.west
    suiting = sum(width < limit for limit in _WIDTHS)
    known = Downloader.from_config(("shapefiles", "natural_earth"))
    for resolution in sorted(_RESOLUTIONS, key=lambda each: (abs(_RESOLUTIONS.index(each) - suiting), each)):
        names = {"config": config, "category": "physical", "name": "coastline", "resolution": resolution}
        for path in (known.pre_downloaded_path(names), known.target_path(names)):
            if path is not None and Path(path).is_file():
                return Path(path)
    return None


def _coordinates(geometries: Any) -> Iterator[NDArray[np.float64]]:
    for geometry in geometries:
        for part in getattr(geometry, "geoms", [geometry]):
            yield np.asarray(part.coords, np.float64)[:, :2]


def _visible(lines: Iterator[NDArray[np.float64]], extent: Extent) -> Iterator[NDArray[np.float64]]:
    """Yield lines at each turn of the Earth that the map shows, of those that reach into it."""
    for line in lines:
        if line[:, 1].max() < extent.south or line[:, 1].min() > extent.north:
            continue
        for turn in (-TURN, 0.0, TURN):
            moved = line + np.array([turn, 0.0])
            if moved[:, 0].max() >= extent.west and moved[:, 0].min() <= extent.east:
                yield moved
