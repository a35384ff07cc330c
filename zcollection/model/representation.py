"""Parts shared by the printed forms of variables, groups and schemas: values, sizes and attributes as text."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np

from zcollection.model.formatting import SHORT, listed, more, shortened
from zcollection.model.sections import Part, Section, Table

G = TypeVar("G")

MOST_GROUPS: Final = 20
_MOST_ATTRIBUTES: Final = 12
_PREVIEWED: Final = 5


def preview(data: Any) -> str:
    """Return the first values of an array as text."""
    data = np.asarray(data)
    # Not a slice of the flat iterator, which corrupts longer strings of StringDType.
    values = [str(value_in_words(value)) for value in islice(data.flat, _PREVIEWED)]
    while len(" ".join(values)) > SHORT - 2 and len(values) > 1:
        values.pop()
    return " ".join(values) + (" …" if data.size > len(values) else "")


def value_in_words(value: Any) -> str | None:
    """Return a value as text; None for None."""
    if value is None:
        return None
    if isinstance(value, np.floating | np.complexfloating):
        return f"{value:.5g}"
    if isinstance(value, str | bytes):
        return shortened(repr(value if isinstance(value, bytes) else str(value)), SHORT // 2)
    return str(value).removesuffix("T00:00:00.000000000").removesuffix(".000000000")


def attributes(attrs: Mapping[str, Any]) -> Table:
    """Return a table of attributes, with shortened values."""
    values = {name: shortened(str(value), SHORT) for name, value in attrs.items()}
    return Table.pairs("Attributes", values, most=_MOST_ATTRIBUTES)


def groups_below(groups: Mapping[str, G], parts: Callable[[G, int], list[Part]], most: int) -> list[Part]:
    """Return a section for child groups; `most` limits the number of printed groups over all levels."""
    shown = dict(islice(groups.items(), most))
    each = (most - len(shown)) // max(len(shown), 1)
    sections = [Section(name, parts(group, each)) for name, group in shown.items()]
    return [Section("Groups", [*sections, *more(len(groups) - len(shown))])] if groups else []


def in_brackets(names: tuple[str, ...]) -> str:
    """Return names of dimensions in parentheses."""
    return f"({listed(names)})"


def sizes_in_words(dimensions: Mapping[str, int]) -> str:
    """Return dimensions with their sizes as text."""
    return listed([f"{name}: {size:,}" for name, size in dimensions.items()])
