"""The documentation tells the truth: every example runs, as written, in the order in which a reader meets them.

A block of Python runs in the names of the page's blocks before it; a ``text`` block right behind it is what it prints, where
``...`` stands for anything. A command ``zcollection …`` runs too. Other commands, which install or publish, run in CI.
"""

import contextlib
import io
import re
import shlex
import zipfile

import numpy as np
import pages
import pytest
from pages import DOCS, PAGES, blocks_of, name_of, setup_of

import zcollection as zc
from zcollection.cli.app import build
from zcollection.registry.registry import REGISTRY

WITH_CODE = [page for page in PAGES if {"python", "sh"} & {block.language for block in blocks_of(page)}]
LANGUAGES = {"python", "text", "sh", "toml", "yaml", "json"}


@pytest.fixture(autouse=True)
def _what_a_page_registers_is_forgotten():
    before = set(REGISTRY._registered)
    yield
    for family, name in set(REGISTRY._registered) - before:
        REGISTRY.unregister(family, name)


class Reader:
    """Somebody who tries what a page says, with /data in a directory of the test."""

    def __init__(self, folder, page):
        self.folder = folder
        self.page = page
        self.names = {"__name__": "__main__"}

    def run(self):
        output = ""
        for block in blocks_of(self.page):
            if block.language == "text" and block.follows:
                assert_printed(output, block, self.page)
            elif block.language == "python":
                output = self.execute(block)
            elif block.language == "sh":
                output = "".join(map(self.command, commands(block)))

    def execute(self, block):
        source = "\n" * (block.line - 1) + self.here(block.code)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, str(self.page), "exec"), self.names)
        return self.there(printed.getvalue())

    def command(self, line):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            build()(shlex.split(self.here(line))[1:], standalone_mode=False, prog_name="zcollection")
        return self.there(printed.getvalue())

    def here(self, text):
        return text.replace("/data/", f"{self.folder}/")

    def there(self, text):
        return text.replace(f"{self.folder}/", "/data/")


def commands(block):
    """The lines of a block of commands that call zcollection."""
    lines = block.code.replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0] for line in lines if line.startswith("zcollection ")]


def assert_printed(output, block, page):
    expected = ".*?".join(map(re.escape, block.code.strip().split("...")))
    squeezed = re.compile(re.sub(r"(\\?\s)+", r"\\s+", expected), re.DOTALL)
    assert squeezed.fullmatch(output.strip()), (
        f"{page}:{block.line} says\n{block.code}\nand this was printed:\n{output}"
    )


def altimetry(folder):
    """The collection of the quick start, which the how-to pages take for given."""
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4096)
        .with_dimension("x_ac", size=24, chunks=24)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("ssh", dtype="float32", dimensions=("time", "x_ac"), fill_value=np.float32("nan"))
    )
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(
        f"file://{folder}/altimetry", schema=schema, axis="time", partitioning=partitioning
    )
    times = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[h]").astype("datetime64[ns]")
    ssh = np.random.default_rng(0).normal(size=(times.size, 24)).astype("float32")
    collection.insert({"time": times, "ssh": ssh})


def older(folder):
    """A collection that zcollection 1.x wrote."""
    with zipfile.ZipFile(DOCS.parent / "plugins" / "import" / "tests" / "golden" / "first-by-month.zip") as archive:
        archive.extractall(folder / "old")


SETUPS = {"altimetry": altimetry, "older": older}
"""What pages take for given; a fixture of the same name serves what needs to be stopped again."""


@pytest.fixture
def s3(moto_server, monkeypatch):
    moto_server.create_bucket("altimetry")
    monkeypatch.setenv("S3_ENDPOINT", moto_server.endpoint)


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_the_examples_of_a_page_run_as_written(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    wanted = setup_of(page)
    if wanted in SETUPS:
        SETUPS[wanted](tmp_path)
    elif wanted:
        request.getfixturevalue(wanted)
    Reader(tmp_path, page).run()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_has_a_language_that_is_run_or_read(page):
    fences = re.findall(r"^ *```+([^\n`]*)$", page.read_text(), flags=re.MULTILINE)
    languages = [fence for fence in fences[::2] if not fence.startswith("{")]
    assert set(languages) <= LANGUAGES, f"{page} has blocks in {set(languages) - LANGUAGES}"


def test_every_page_is_part_of_a_table_of_contents():
    listed = set()
    for page in PAGES:
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), flags=re.DOTALL):
            entries = [line.strip() for line in tree.splitlines() if line.strip() and not line.startswith(":")]
            listed |= {(page.parent / re.sub(r".*<(.*)>", r"\1", entry)).resolve() for entry in entries}
    missing = [name_of(page) for page in PAGES if page.with_suffix("").resolve() not in listed]
    assert missing == ["index"]


def test_the_pages_are_those_of_the_tests():
    assert DOCS.parent == pages.ROOT
