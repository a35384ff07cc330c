"""The command line; its libraries are imported only when it runs."""

import sys
from importlib.util import find_spec

from zcollection.errors import MissingDependencyError


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    for library in ("typer", "rich"):
        if find_spec(library) is None:
            sys.exit(f"error: {MissingDependencyError.of(library, extra='cli', purpose='the command line')}")
    from zcollection.cli.app import run

    run()
