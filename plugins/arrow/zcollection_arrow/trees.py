"""Pyarrow expressions as trees. Pyarrow does not expose the parts of an expression, but its pickle contains them.

The pickle contains a record batch whose metadata lists the tree in serialised order: ``call`` and ``end``
with the name of a function, around its arguments; ``field_ref`` with a name; ``literal`` and ``options`` with the number of
the column that contains the value. Source: ``arrow::compute::Serialize`` in cpp/src/arrow/compute/expression.cc; the same from
pyarrow 18 to 26.
"""

import ctypes
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from attrs import frozen
from pyarrow import ipc


@frozen
class Call:
    """A call of a function.

    Attributes
    ----------
    name
        The name of the function.
    arguments, options
        The arguments and the options; None without options.
    """

    name: str
    arguments: "tuple[Tree, ...]"
    options: Any = None


@frozen
class FieldName:
    """A column."""

    name: str


@frozen
class Literal:
    """A literal: a pyarrow scalar."""

    value: Any


_ASSOCIATIVE: Final = frozenset({"and_kleene", "or_kleene"})
"""Binary functions whose nested calls are flattened to a single call."""

Tree = Call | FieldName | Literal


def tree_of(expression: pc.Expression) -> Tree | None:
    """Return an expression as a tree; None if a part is not supported, or the serialisation is unknown."""
    try:
        (stored,) = expression.__reduce__()[1]
        batch = ipc.open_file(pa.py_buffer(stored)).get_batch(0)
        entries = iter(list(_entries(batch.schema)))
        return _tree(*next(entries), entries, batch)
    except (
        pa.ArrowException,
        AttributeError,
        IndexError,
        KeyError,
        RecursionError,
        StopIteration,
        TypeError,
        ValueError,
    ):
        return None  # nothing is pushed down; pyarrow applies the expression anyway


def names_in(tree: Tree) -> set[str]:
    """Return the names of the columns that an expression reads."""
    if isinstance(tree, Call):
        return {name for argument in tree.arguments for name in names_in(argument)}
    return {tree.name} if isinstance(tree, FieldName) else set()


def _tree(kind: str, value: str, entries: Iterator[tuple[str, str]], batch: pa.RecordBatch) -> Tree:
    if kind == "field_ref":
        return FieldName(value)
    if kind == "literal":
        return Literal(batch.column(int(value))[0])
    if kind != "call":
        raise ValueError(kind)
    arguments: list[Tree] = []
    options = None
    while (entry := next(entries)) != ("end", value):
        if entry[0] == "options":
            options = batch.column(int(entry[1]))[0]
        else:
            argument = _tree(*entry, entries, batch)
            is_same = value in _ASSOCIATIVE and isinstance(argument, Call) and argument.name == value
            arguments.extend(argument.arguments if is_same and isinstance(argument, Call) else [argument])
    return Call(value, tuple(arguments), options)


def _entries(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    """Yield the metadata of a schema in order; the dictionary of pyarrow would drop repeated keys.

    Source: the Arrow C data interface, ``ArrowSchema.metadata``.
    """
    capsule = schema.__arrow_c_schema__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    fields = ctypes.cast(pointer(capsule, b"arrow_schema"), ctypes.POINTER(ctypes.c_void_p))
    address = fields[2]  # after `format` and `name`
    if address is None:
        return

    def number() -> int:
        nonlocal address
        address += 4
        return ctypes.c_int32.from_address(address - 4).value

    def text() -> str:
        nonlocal address
        length = number()
        address += length
        return ctypes.string_at(address - length, length).decode()

    for _ in range(number()):
        yield text(), text()
