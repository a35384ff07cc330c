"""The application: its commands and global options."""

import sys
from typing import Annotated

import typer

import zcollection
from zcollection.cli import failures, view
from zcollection.cli.copying import copy
from zcollection.cli.demo.command import demo
from zcollection.cli.info import info
from zcollection.cli.listing import ls
from zcollection.cli.plugins import plugins
from zcollection.cli.repairing import repair, vacuum, verify
from zcollection.cli.tree import tree


def run() -> None:
    """Run the command line with the arguments of this process, and exit."""
    build()(prog_name="zcollection")


def build() -> typer.Typer:
    """Return the application."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Boxes are for people: in a pipe the help is plain text.
        rich_markup_mode="rich" if sys.stdout.isatty() else None,
    )
    app.callback()(_options)
    for command in (plugins, info, ls, tree, copy, verify, repair, vacuum, demo):
        app.command()(failures.reported(command))
    views = typer.Typer(no_args_is_help=True, help="Look at views over collections, and compute what is not current.")
    for command in (view.status, view.refresh):
        views.command()(failures.reported(command))
    app.add_typer(views, name="view")
    return app


def _version(given: bool) -> None:
    if given:
        typer.echo(f"zcollection {zcollection.__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Look into collections: partitioned Zarr v3 groups, for data that keeps arriving."""
    del version  # its callback has done all
    failures.DEBUG.set(debug)
