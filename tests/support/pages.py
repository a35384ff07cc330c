"""The pages of the documentation, and their code as a reader meets it."""

import re
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "decisions" not in page.parts)

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_SETUP = re.compile(r"<!-- setup: (\w+) -->")


@frozen
class Block:
    """A fenced block.

    Attributes
    ----------
    language
        What stands behind the fence.
    code
        Its text.
    line
        Of the page, where it begins.
    """

    language: str
    code: str
    line: int


def blocks_of(page):
    """Return the fenced blocks of a page that have a language."""
    text = page.read_text()
    return [
        Block(match[2], match[3], text.count("\n", 0, match.start()) + 2)
        for match in _FENCE.finditer(text)
        if not match[2].startswith("{")
    ]


def setup_of(page):
    """Return the name of what a page takes for given, or None."""
    match = _SETUP.search(page.read_text())
    return match and match[1]


def name_of(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()
