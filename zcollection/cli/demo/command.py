"""``zcollection demo``: run the steps, and report each with its time."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from zcollection.cli import tree
from zcollection.cli.demo import steps
from zcollection.cli.demo.checks import CheckFailedError
from zcollection.cli.output import write_lines, write_tree

CHECK_FAILED = 3

URL = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="URL of the collection to create, which is kept; by default a temporary one is used.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing collection at the URL.")]


def demo(*, url: URL = None, overwrite: Overwrite = False) -> None:
    """Run typical operations on real data, and verify every row; exits with 3 if a row is wrong."""
    with _place(url) as place:
        work = steps.Demo(url=place, overwrite=overwrite, progress=sys.stderr.isatty())
        try:
            _run(work)
        except CheckFailedError as error:
            for line in error.differences:
                typer.echo(f"error: {line}", err=True)
            raise typer.Exit(CHECK_FAILED) from None
        write_tree(tree.draw(work.collection))
        if url is not None and work.collection.store.cross_process:
            write_lines(
                [f"The collection is kept; remove it, or inspect it: zcollection info {work.collection.store.url}"]
            )


@contextmanager
def _place(url: str | None) -> Iterator[str]:
    """Yield the URL of the collection to create, by default in a temporary directory."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="zcollection-demo-") as folder:
        yield f"{folder}/track"


def _run(work: steps.Demo) -> None:
    begun = time.perf_counter()
    for step in steps.STEPS:
        started = time.perf_counter()
        done = step.run(work)
        write_lines([f"{time.perf_counter() - started:7.3f} s  {step.title:<14} {done}"])
        sys.stdout.flush()
    write_lines([f"{time.perf_counter() - begun:7.3f} s  total"])
