"""Coastlines of Natural Earth from local files; nothing is downloaded.

Source: cartopy, which searches for the files under ``CARTOPY_DATA_DIR`` and in its own data directory; its download is not used.
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
"""The widths, in degrees of longitude, from which on the first and the second resolution are sufficient."""


def draw_coastlines(ax: Axes, extent: Extent, *, required: bool | None, transform: Any = None) -> None:
    """Draw the coastlines of a map.

    Parameters
    ----------
    ax
        The axes of the map.
    extent
        The extent of the map.
    required
        True raises if there are none; None draws them if they exist; False draws none.
    transform
        The transformation from degrees to the axes of cartopy.

    Raises
    ------
    MissingDependencyError
        Coastlines are required, and cartopy is not installed.
    SettingError
        Coastlines are required, and the files of Natural Earth do not exist.
    """
    if required is False:
        return
    lines = _lines(extent, required=bool(required))
    if lines:
        style = {} if transform is None else {"transform": transform}
        ax.add_collection(LineCollection(lines, colors="0.4", linewidths=0.6, zorder=1.5, **style), autolim=False)


def _lines(extent: Extent, *, required: bool) -> list[NDArray[np.float64]]:
    try:
        from cartopy.io.shapereader import Reader
    except ImportError as error:
        if required:
            message = "coastlines need 'cartopy', which is not installed: pip install 'zcollection-plot[coastlines]'"
            raise MissingDependencyError(message) from error
        return []
    file = _file(extent)
    if file is None:
        if required:
            message = (
                "the coastlines of Natural Earth do not exist on this machine, and are not downloaded; accepted: coastlines=None, or "
                "their files under CARTOPY_DATA_DIR, as cartopy's cartopy_feature_download.py stores them: "
                "shapefiles/natural_earth/physical/ne_110m_coastline.shp"
            )
            raise SettingError(message)
        return []
    return [*_visible(_coordinates(Reader(file).geometries()), extent)]


def _file(extent: Extent) -> Path | None:
    """Return the file with the resolution closest to that of a map."""
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
    """Yield the visible lines, repeated at each multiple of 360° that the map shows."""
    for line in lines:
        if line[:, 1].max() < extent.south or line[:, 1].min() > extent.north:
            continue
        for turn in (-TURN, 0.0, TURN):
            moved = line + np.array([turn, 0.0])
            if moved[:, 0].max() >= extent.west and moved[:, 0].min() <= extent.east:
                yield moved
