"""The command ``zcollection plot``: a map of rows as a file."""

from pathlib import Path
from typing import Annotated

import typer

from zcollection.cli.plugin import URL, Filter, StorageOptions, Where, open_to_read


def command(
    url: URL,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write, such as map.png, map.svg or map.pdf."),
    ],
    variable: Annotated[
        str | None,
        typer.Option(
            "--variable",
            metavar="NAME",
            help="The variable that colours the rows; by default the positions are a line.",
        ),
    ] = None,
    filters: Filter = None,
    where: Where = None,
    latitude: Annotated[
        str | None,
        typer.Option(
            "--latitude", metavar="NAME", help="The variable of the latitude; by default found by its CF attributes."
        ),
    ] = None,
    longitude: Annotated[
        str | None,
        typer.Option(
            "--longitude", metavar="NAME", help="The variable of the longitude; by default found by its CF attributes."
        ),
    ] = None,
    points: Annotated[
        int, typer.Option("--points", metavar="COUNT", min=1, help="The largest number of points to draw.")
    ] = 20_000,
    storage_option: StorageOptions = None,
) -> None:
    """Draw where rows are on a map, coloured by a variable."""
    from zcollection_plot.files import saved
    from zcollection_plot.track import track

    with saved(output) as figure:
        track(
            open_to_read(url, storage_option),
            variable,
            filters=filters,
            where=where,
            latitude=latitude,
            longitude=longitude,
            points=points,
            ax=figure,
        )
