"""Pictures in files, made without pyplot: no window, no display."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from zcollection.plugin import SettingError, accepted

RESOLUTION = 150
"""Dots per inch of pictures made of dots."""


@contextmanager
def saved(path: str | os.PathLike[str]) -> Iterator[Figure]:
    """Yield a figure to draw on, which is written to a file once that is done.

    Raises
    ------
    SettingError
        The end of the file's name is that of no format of pictures.
    """
    figure = Figure(layout="constrained", dpi=RESOLUTION)
    formats = figure.canvas.get_supported_filetypes()
    ending = Path(path).suffix.removeprefix(".").lower()
    if ending not in formats:
        message = f"a picture was to be written to {os.fspath(path)!r}; {accepted(ending, sorted(formats))} as the end of its name"
        raise SettingError(message)
    yield figure
    figure.savefig(path)
