"""Error handling of commands: a line on standard error, and an exit code."""

import functools
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec

import typer

from zcollection.errors import ZCollectionError, printable

P = ParamSpec("P")

DEBUG = ContextVar("zcollection.cli.debug", default=False)
"""Whether errors show their traceback."""

FAILED = 1
INTERRUPTED = 130


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command so that it reports an error in one line and exits with the corresponding code."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise  # Typer handles its own exceptions, and ignores the broken pipe of `| head`
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:  # noqa: BLE001 - for any error, a command ends with a line and a code
            _show(error)
            raise typer.Exit(FAILED) from None

    return guarded


def _show(error: Exception) -> None:
    show_traceback(error)
    typer.echo(f"error: {line_of(error)}", err=True)


def show_traceback(error: Exception) -> None:
    """Show the traceback of an error, if --debug is set."""
    if DEBUG.get():
        typer.echo(printable("".join(traceback.format_exception(error)), keep="\n"), err=True, nl=False)


def line_of(error: Exception) -> str:
    """Return the message of an error as one line."""
    text = printable(" ".join(str(error).split()))
    if isinstance(error, ZCollectionError | OSError):
        return text
    return f"unexpected {type(error).__name__}: {text} (run with --debug and report it)"
