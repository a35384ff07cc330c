"""Output of commands: JSON, tables and trees; plain text in a pipe, Rich on a terminal."""

import json
import sys
from collections.abc import Collection, Iterator, Sequence

from attrs import frozen

from zcollection.errors import printable

Rows = Sequence[Sequence[str]]

_NARROWEST = 30
"""Smallest width of the last column of a table, in characters."""


@frozen
class Node:
    """A node of a tree.

    Attributes
    ----------
    label
        One line of text.
    children
        Child nodes.
    """

    label: str
    children: "tuple[Node, ...]" = ()


def write_lines(lines: Sequence[str]) -> None:
    """Write lines without wrapping them; control characters are escaped."""
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def write_json(value: object) -> None:
    """Write a JSON document."""
    sys.stdout.write(
        f"{json.dumps(value, indent=2)}\n".replace("\x7f", "\\u007f")
    )  # json.dumps escapes all other control characters


def write_table(header: Sequence[str], rows: Rows, *, numeric: Collection[str] = ()) -> None:
    """Write a table.

    Parameters
    ----------
    header
        Names of the columns.
    rows
        One string for each column.
    numeric
        Columns that are aligned to the right.
    """
    header, *rows = [[printable(text) for text in line] for line in [header, *rows]]
    if sys.stdout.isatty():
        _write_rich_table(header, rows, numeric)
    else:
        write_lines(list(_plain_table(header, rows, numeric)))


def write_tree(root: Node) -> None:
    """Write a tree."""
    if sys.stdout.isatty():
        _write_rich_tree(root)
    else:
        write_lines([root.label, *_plain_branches(root.children)])


def _plain_table(header: Sequence[str], rows: Rows, numeric: Collection[str]) -> Iterator[str]:
    widths = _widths([header, *rows])
    for line in [header, *rows]:
        cells = [
            text.rjust(width) if name in numeric else text.ljust(width)
            for name, text, width in zip(header, line, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def _widths(lines: Rows) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _plain_branches(nodes: Sequence[Node]) -> Iterator[str]:
    for position, node in enumerate(nodes):
        last = position == len(nodes) - 1
        yield f"{'└── ' if last else '├── '}{node.label}"
        for line in _plain_branches(node.children):
            yield f"{'    ' if last else '│   '}{line}"


def _write_rich_table(header: Sequence[str], rows: Rows, numeric: Collection[str]) -> None:
    from rich.console import Console, JustifyMethod
    from rich.table import Table
    from rich.text import Text

    console, widths = Console(), _widths([header, *rows])
    table = Table(box=None, header_style="bold", pad_edge=False)
    for position, name in enumerate(header, start=1):
        align: JustifyMethod = "right" if name in numeric else "left"
        table.add_column(name, justify=align, no_wrap=position < len(header), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    # Only the last column folds: if the other columns do not fit, the terminal wraps lines, and no text is cut.
    console.width = max(console.width, sum(widths[:-1]) + 2 * len(widths) + _NARROWEST)
    console.print(table)


def _write_rich_tree(root: Node) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    def grow(tree: Tree, nodes: Sequence[Node]) -> None:
        for node in nodes:
            grow(tree.add(Text(printable(node.label)), guide_style="dim"), node.children)

    tree = Tree(Text(printable(root.label), style="bold"), guide_style="dim")
    grow(tree, root.children)
    Console().print(tree, soft_wrap=True)
