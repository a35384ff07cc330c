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
    follows
        Whether nothing stands between it and the block before.
    """

    language: str
    code: str
    line: int
    follows: bool


def blocks_of(page):
    """Return the fenced blocks of a page that have a language."""
    text, end, found = page.read_text(), 0, []
    for match in _FENCE.finditer(text):
        follows = not text[end : match.start()].strip()
        found.append(Block(match[2], match[3], text.count("\n", 0, match.start()) + 2, follows))
        end = match.end()
    return found


def setup_of(page):
    """Return the name of what a page takes for given, or None."""
    match = _SETUP.search(page.read_text())
    return match and match[1]


def name_of(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()
