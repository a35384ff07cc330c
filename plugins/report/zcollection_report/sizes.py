"""The size of each variable, and its compression."""

from collections.abc import Mapping
from math import prod
from typing import Any, Final
from xml.etree.ElementTree import Element

from attrs import frozen
from zcollection_coverage.drawing import WIDTH, figure, legend

from zcollection.plugin import VariableSchema, format_bytes, shortened, tag
from zcollection_report.facts import Facts
from zcollection_report.page import Chapter, table

_LEFT: Final = 170
_RIGHT: Final = 118
_BAR: Final = 20
_MOST_BARS: Final = 30
_WIDEST: Final = 24


@frozen
class Size:
    """The size of a variable.

    Attributes
    ----------
    path, dtype
        The variable and its type.
    stored
        The bytes of its objects.
    in_memory
        The bytes of its values in memory; None for strings of variable length.
    """

    path: str
    dtype: str
    stored: int
    in_memory: int | None

    @property
    def ratio(self) -> float | None:
        """The bytes in memory per stored byte."""
        return self.in_memory / self.stored if self.in_memory is not None and self.stored else None


def sizes(found: Facts) -> Chapter:
    """Return the chapter of sizes."""
    stored = found.sizes.value
    if stored is None:
        return Chapter("sizes", "Size and compression", [tag("p", f"Sizes are unknown: {found.sizes.why}")])
    measured = measured_of(found, stored)
    is_complete = len(found.measured) == len(found.records)
    scope = "in all partitions" if is_complete else f"in {len(found.measured):,} of {len(found.records):,} partitions"
    rows = [
        (
            size.path,
            size.dtype,
            format_bytes(size.stored),
            None if size.in_memory is None else format_bytes(size.in_memory),
            None if size.ratio is None else f"{size.ratio:.2f}",
        )
        for size in measured
    ]
    header = ("variable", "type", "stored", "in memory", "ratio")
    listed = table(f"Sizes {scope}", header, rows, numeric=header[2:])
    return Chapter("sizes", "Size and compression", [bars(measured, scope), listed])


def measured_of(found: Facts, stored: Mapping[str, int]) -> list[Size]:
    """Return the size of each variable, the largest first."""
    schema, dimension = found.item.schema, found.rows.dimension
    records = {tuple(record.key.values()): record for record in found.records.values()}
    chosen = [records[tuple(key.values())] for key in found.measured]
    sizes = [_size(schema, path, dimension, chosen, count) for path, count in stored.items()]
    return sorted(sizes, key=lambda size: -size.stored)


def dtype_name(variable: VariableSchema) -> str:
    """Return the name of the type of a variable."""
    return "string" if variable.dtype.kind == "T" else f"{variable.dtype}"


def _size(schema: Any, path: str, dimension: str, records: list[Any], stored: int) -> Size:
    variable = schema.get_variable(path)
    rows = sum(record.rows for record in records if path not in record.absent)
    lengths = [rows if item.name == dimension else item.size or 0 for item in schema.dimensions_of(path)]
    in_memory = None if variable.dtype.kind == "T" else prod(lengths) * variable.dtype.itemsize
    return Size(path, dtype_name(variable), stored, in_memory)


def bars(measured: list[Size], scope: str) -> Element | None:
    """Return a bar for each variable: the stored bytes over the bytes in memory; None without stored bytes."""
    shown = [size for size in measured if size.stored][:_MOST_BARS]
    if not shown:
        return None
    largest = max(max(size.stored, size.in_memory or 0) for size in shown)
    room = WIDTH - _LEFT - _RIGHT
    shapes = [shape for at, size in enumerate(shown) for shape in _bar(size, at, room / largest)]
    total = sum(size.stored for size in measured)
    description = (
        f"{len(measured):,} variables take {format_bytes(total)} {scope}; the largest is {shortened(shown[0].path)}."
    )
    entries = {"zc-l4": "stored", "zc-l2": "in memory"}
    return figure(
        "Bytes of each variable", description, height=len(shown) * _BAR + 4, shapes=shapes, legend=legend(entries)
    )


def _bar(size: Size, at: int, scale: float) -> list[Element | None]:
    y = at * _BAR + 3
    label = f"{format_bytes(size.stored)}{'' if size.ratio is None else f', {size.ratio:.2g} to 1'}"
    in_memory = size.in_memory or 0
    end = _LEFT + max(size.stored, in_memory) * scale
    return [
        tag("text", shortened(size.path, _WIDEST), x=_LEFT - 8, y=y + 11, text_anchor="end"),
        tag("rect", class_="zc-l2", x=_LEFT, y=y, width=in_memory * scale, height=14) if in_memory else None,
        tag("rect", class_="zc-l4", x=_LEFT, y=y + 3, width=max(size.stored * scale, 1.0), height=8),
        tag("text", label, x=end + 6, y=y + 11, font_size=11),
    ]
