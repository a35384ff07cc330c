"""Groups and datasets as people read them: several lines of text, or HTML; bounded, and nothing lazy is computed."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zcollection.errors import printable
from zcollection.model.dtypes import dtype_name

if TYPE_CHECKING:
    from zcollection.model.dataset import Group
    from zcollection.model.variable import Variable

T = TypeVar("T")

_MOST_VARIABLES = 40
_MOST_GROUPS = 20
_MOST_ATTRIBUTES = 12
_WIDEST_VALUE = 70
_PREVIEWED = 5
_INDENT = "    "


def format_bytes(size: int) -> str:
    """Return a size for people, in decimal units.

    Examples
    --------
    >>> format_bytes(768), format_bytes(92_160), format_bytes(3_000_000_000)
    ('768 B', '92.2 kB', '3.0 GB')
    """
    if size < 1000:
        return f"{size} B"
    scaled = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1000
        if scaled < 999.95:
            return f"{scaled:.1f} {unit}"
    return f"{scaled / 1000:.1f} PB"


def as_text(kind: str, name: str, group: "Group") -> str:
    """Return a group as several lines: sizes, dimensions, variables, attributes, and the groups below it.

    Parameters
    ----------
    kind
        What it is, such as ``"Dataset"``.
    name
        Its path, shown unless it is the root.
    group
        The group.
    """
    place = "" if name == "/" else f" {name}"
    return "\n".join([f"<zcollection.{kind}{place}> {format_bytes(group.nbytes)}", *_section(group, "")])


def _section(group: "Group", indent: str) -> list[str]:
    """Return what a group itself holds, and then its groups, each in the same form, further in."""
    lines = [f"{indent}Dimensions: ({_sizes(group.dimensions)})"]
    if group.variables:
        lines.append(f"{indent}Variables:")
        lines += _aligned([_row(variable) for variable in _first(group.variables.values(), _MOST_VARIABLES)], indent)
        lines += _rest(group.variables, _MOST_VARIABLES, indent + _INDENT)
    if group.attrs:
        lines.append(f"{indent}Attributes:")
        names = _first(group.attrs, _MOST_ATTRIBUTES)
        lines += [f"{indent}{_INDENT}{_shortened(name)}: {_shortened(group.attrs[name])}" for name in names]
        lines += _rest(group.attrs, _MOST_ATTRIBUTES, indent + _INDENT)
    if group.groups:
        lines.append(f"{indent}Groups:")
        for name, child in _first(group.groups.items(), _MOST_GROUPS):
            lines += [f"{indent}{_INDENT}{name}", *_section(child, indent + 2 * _INDENT)]
        lines += _rest(group.groups, _MOST_GROUPS, indent + _INDENT)
    return lines


def _row(variable: "Variable") -> tuple[str, ...]:
    return (
        variable.name,
        f"({', '.join(variable.dimensions)})",
        dtype_name(variable.dtype),
        format_bytes(variable.nbytes),
        _preview(variable),
    )


def _aligned(rows: Sequence[tuple[str, ...]], indent: str) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (indent + _INDENT + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def _sizes(dimensions: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {size:,}" for name, size in dimensions.items())


def _first(items: Iterable[T], most: int) -> list[T]:
    return list(items)[:most]


def _rest(items: Mapping[str, Any], most: int, indent: str) -> list[str]:
    return [f"{indent}… {len(items) - most} more"] if len(items) > most else []


def _preview(variable: "Variable") -> str:
    """Return the first values of a variable; a lazy one is not computed."""
    if variable.is_lazy:
        return f"<lazy {type(variable.data).__name__}>"
    data = np.asarray(variable.data)
    # One by one: a slice of the flat iterator loses texts of more than a few characters.
    values = [_value(value) for value in islice(data.flat, _PREVIEWED)]
    return " ".join(values) + (" …" if data.size > _PREVIEWED else "")


def _value(value: Any) -> str:
    if isinstance(value, np.floating | np.complexfloating):
        return f"{value:.5g}"
    if isinstance(value, str | bytes):
        return _shortened(repr(value if isinstance(value, bytes) else str(value)), _WIDEST_VALUE // 2)
    return str(value).removesuffix("T00:00:00.000000000").removesuffix(".000000000")


def _shortened(value: object, widest: int = _WIDEST_VALUE) -> str:
    text = printable(str(value)[: widest + 1].replace("\n", " "))
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _escaped(text: str) -> str:
    from html import escape  # a table of two thousand names, which few programs need

    return escape(text)


def as_html(kind: str, name: str, group: "Group") -> str:
    """Return a group as HTML: as `as_text`, with sections that open and close, and every text escaped."""
    place = "" if name == "/" else f" {name}"
    heading = f"&lt;zcollection.{_escaped(kind + place)}&gt; {format_bytes(group.nbytes)}"
    return f"<div><strong>{heading}</strong>{_html_section(group)}</div>"


def _html_section(group: "Group") -> str:
    parts = [f"<div>Dimensions: ({_escaped(_sizes(group.dimensions))})</div>"]
    if group.variables:
        rows = [_row(variable) for variable in _first(group.variables.values(), _MOST_VARIABLES)]
        parts.append(_html_table("Variables", rows, _rest(group.variables, _MOST_VARIABLES, "")))
    if group.attrs:
        pairs = [(_shortened(name), _shortened(group.attrs[name])) for name in _first(group.attrs, _MOST_ATTRIBUTES)]
        parts.append(_html_table("Attributes", pairs, _rest(group.attrs, _MOST_ATTRIBUTES, "")))
    for name, child in _first(group.groups.items(), _MOST_GROUPS):
        parts.append(
            f"<details open style='margin-left:1em'><summary>{_escaped(name)}</summary>{_html_section(child)}</details>"
        )
    parts += [f"<div>{rest} groups</div>" for rest in _rest(group.groups, _MOST_GROUPS, "")]
    return "".join(parts)


def _html_table(title: str, rows: Sequence[tuple[str, ...]], rest: Sequence[str]) -> str:
    cells = ("".join(f"<td style='text-align:left'>{_escaped(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    more = "".join(f"<div>{line}</div>" for line in rest)
    return f"<details open><summary>{title}</summary><table>{body}</table>{more}</details>"
