"""The command-line application: its verbs and global options."""

import io
import os
import sys
from typing import Annotated

import typer

import zcollection
from zcollection.cli import failures
from zcollection.cli.verbs import Verbs


def run() -> None:
    """Run the command line with the arguments of this process, and exit."""
    _exchange_utf8()
    build()(prog_name="zcollection")


def _exchange_utf8() -> None:
    """Use UTF-8 and line feeds for files and pipes; the default on Windows is the code page of the system."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
            newline = None if stream is sys.stdin else "\n"
            stream.reconfigure(encoding="utf-8", errors=stream.errors, newline=newline)


def build() -> typer.Typer:
    """Return the application."""
    app = typer.Typer(
        cls=Verbs,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # In a pipe the help is plain text, without boxes.
        rich_markup_mode="rich" if sys.stdout.isatty() else None,
    )
    app.callback()(_options)
    return app


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"zcollection {zcollection.__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Create, fill and query collections: partitioned Zarr v3 groups, for data that keeps arriving."""
    del version  # handled by its callback
    failures.DEBUG.set(debug)
