"""Writes plots to files without pyplot: no window or display is needed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from zcollection.plugin import SettingError, accepted

RESOLUTION = 150
"""The resolution of raster images, in dots per inch."""


@contextmanager
def saved(path: str | os.PathLike[str]) -> Iterator[Figure]:
    """Yield a figure to draw on, and write it to a file at the end.

    Raises
    ------
    SettingError
        The extension of the file is not an image format.
    """
    figure = Figure(layout="constrained", dpi=RESOLUTION)
    formats = figure.canvas.get_supported_filetypes()
    ending = Path(path).suffix.removeprefix(".").lower()
    if ending not in formats:
        message = (
            f"the plot cannot be written to {os.fspath(path)!r}; {accepted(ending, sorted(formats))} as its extension"
        )
        raise SettingError(message)
    yield figure
    figure.savefig(path)
