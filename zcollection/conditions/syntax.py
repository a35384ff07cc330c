"""The one language of filters and conditions: its text made a small tree, bounded in size, and never evaluated as Python."""

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from zcollection.errors import ExpressionError
from zcollection.model.texts import shortened

LONGEST: Final = 10_000
LARGEST: Final = 2**127 - 1
"""The product of any two numbers in keys, and far from what takes time."""

_DEEPEST: Final = 100
_SHOWN: Final = 60


@frozen
class Language:
    """What a text may hold besides what all texts may, and how messages speak of it.

    Attributes
    ----------
    noun
        What such a text is.
    functions
        Names that may be called.
    accepted
        What may stand in it, in words.
    otherwise
        What to do where the text cannot be short.
    """

    noun: str
    functions: frozenset[str]
    accepted: str
    otherwise: str


@frozen
class Node:
    """A part of a text: what it says, and the positions where it starts and ends."""

    start: int = field(eq=False, repr=False)
    end: int = field(eq=False, repr=False)


@frozen
class Constant(Node):
    """A number, a text, True or False."""

    value: bool | int | float | str


@frozen
class Name(Node):
    """A variable, or a field of keys."""

    name: str


@frozen
class Sign(Node):
    """A number with ``+`` or ``-`` before it."""

    symbol: str
    operand: Node


@frozen
class Arithmetic(Node):
    """Two numbers and one of ``+ - * / // %``."""

    symbol: str
    left: Node
    right: Node


@frozen
class Comparison(Node):
    """Operands with a symbol between each and the next: ``2 < x <= 3``."""

    symbols: tuple[str, ...]
    operands: tuple[Node, ...]

    def pairs(self) -> Iterator[tuple[str, Node, Node]]:
        """Yield the comparisons of which all have to hold."""
        yield from zip(self.symbols, self.operands, self.operands[1:], strict=False)


@frozen
class Display(Node):
    """A list, a tuple or a set that is written out."""

    kind: type[list[object]] | type[tuple[object, ...]] | type[set[object]]
    elements: tuple[Node, ...]


@frozen
class Call(Node):
    """A function of the language, and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@frozen
class Not(Node):
    """What does not hold."""

    operand: Node


@frozen
class Logic(Node):
    """Operands all of which have to hold (``and``), or any (``or``)."""

    symbol: str
    operands: tuple[Node, ...]


@frozen
class Parsed:
    """A text and the tree that it means.

    Attributes
    ----------
    text
        As it was given.
    language
        The language in which it was read.
    root
        The tree.
    """

    text: str
    language: Language
    root: Node

    def conjuncts(self) -> tuple[Node, ...]:
        """Return the parts all of which have to hold."""
        root = self.root
        return root.operands if isinstance(root, Logic) and root.symbol == "and" else (root,)

    def error(self, node: Node, why: str) -> ExpressionError:
        """Return the error that shows a part of the text, its column, and what is wrong with it."""
        return _error(self.text, self.language, (node.start, node.end), why)


def nodes_in(node: Node) -> Iterator[Node]:
    """Yield a part of a text and all that it is made of, in order."""
    yield node
    match node:
        case Sign(operand=operand) | Not(operand=operand):
            yield from nodes_in(operand)
        case Arithmetic(left=left, right=right):
            yield from nodes_in(left)
            yield from nodes_in(right)
        case Comparison(operands=parts) | Logic(operands=parts) | Display(elements=parts) | Call(arguments=parts):
            for part in parts:
                yield from nodes_in(part)


def names_in(node: Node) -> Iterator[Name]:
    """Yield the names in a part of a text, in order."""
    return (part for part in nodes_in(node) if isinstance(part, Name))


@lru_cache(maxsize=64)
def parse(text: str, language: Language, names: tuple[str, ...] = ()) -> Parsed:
    """Return the tree of a text.

    Parameters
    ----------
    text
        The text: names stand as they are, or, whatever they hold, in backticks.
    language
        What may stand in it.
    names
        Names that may stand without backticks, though Python keeps them for itself: ``pass``.

    Raises
    ------
    ExpressionError
        The text holds something else, or is too long or too deep.

    Examples
    --------
    >>> number = Language("number", frozenset(), "numbers", "give a number")
    >>> parse("-1", number).root
    Sign(symbol='-', operand=Constant(value=1))
    """
    if len(text) > LONGEST:
        message = f"{language.noun} of {len(text)} characters; accepted: up to {LONGEST}; {language.otherwise}"
        raise ExpressionError(message)
    source, aliases = _with_aliases(text, names)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = (
            f"{language.noun} {_quoted(text)} is not an expression ({_reason(error)}); accepted: {language.accepted}"
        )
        raise ExpressionError(message) from error
    _check_depth(tree, text, language)
    return Parsed(text, language, _Reader(text, source, language, aliases).read(tree.body))


_WORD_OR_TEXT: Final = re.compile(r"""('{3}|"{3}|'|")(?:\\.|(?!\1).)*(?:\1|$)|`[^`\n]*`|\w+""", re.DOTALL)
"""A text without an end takes all that follows, so that no place is looked at twice."""

_FIRST_ALIAS: Final = 0x4E00
"""The first of many characters that Python takes for names, and keeps as they are."""


def _with_aliases(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Return the text with names that Python does not take replaced, by others of the same length; and what these mean."""
    keywords = {name for name in names if keyword.iskeyword(name)}
    if "`" not in text and not keywords:
        return text, {}
    unused = (chr(code) for code in range(_FIRST_ALIAS, _FIRST_ALIAS + LONGEST * 2) if chr(code) not in text)
    aliases: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        word = found[0]
        if len(word) < 3 and word.startswith("`"):
            return word
        if not word.startswith("`") and word not in keywords:
            return word
        alias = next(unused) * len(word)
        aliases[alias] = word.strip("`")
        return alias

    return _WORD_OR_TEXT.sub(replaced, text), aliases


def _check_depth(tree: ast.AST, text: str, language: Language) -> None:
    level, depth = [tree], 0
    while level:
        level, depth = [child for node in level for child in ast.iter_child_nodes(node)], depth + 1
        if depth > _DEEPEST:
            message = (
                f"{language.noun} {_quoted(text)} is nested more than {_DEEPEST} deep; write x in (…) for many comparisons, "
                f"or give a function"
            )
            raise ExpressionError(message)


def _reason(error: Exception) -> str:
    if not isinstance(error, SyntaxError):
        return str(error)
    return f"{error.msg}, column {error.offset}" if error.offset else f"{error.msg}, at its end"


def _quoted(text: str) -> str:
    return repr(shortened(text))


def _error(text: str, language: Language, place: tuple[int, int], why: str) -> ExpressionError:
    start, end = place
    part = repr(shortened(text[start:end], _SHOWN))
    return ExpressionError(f"{language.noun} {_quoted(text)}: {part} (column {start + 1}) {why}")


_COMPARISONS: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
# No power and no shift: they alone make a large number of two small ones.
_ARITHMETIC: Final[Mapping[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_SIGNS: Final[Mapping[type[ast.unaryop], str]] = {ast.USub: "-", ast.UAdd: "+"}
_KINDS: Final[Mapping[type[ast.expr], type[list[object]] | type[tuple[object, ...]] | type[set[object]]]] = {
    ast.List: list,
    ast.Tuple: tuple,
    ast.Set: set,
}


class _Reader:
    """Makes Python's syntax, as far as it belongs to a language, the language's own."""

    def __init__(self, text: str, source: str, language: Language, aliases: Mapping[str, str]) -> None:
        self._text = text
        self._language = language
        self._aliases = aliases
        self._offset = len(source) - len(source.lstrip())
        self._source = source.strip()
        self._lines = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", self._source))]

    def read(self, node: ast.expr) -> Node:  # noqa: PLR0911 - one for each kind of node
        """Return what a node means."""
        start, end = self._place(node)
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value) if is_bounded(value):
                return Constant(start, end, value)
            case ast.Name(id=name):
                return Name(start, end, self._aliases.get(name, name))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(start, end, self.read(operand))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
                return Sign(start, end, _SIGNS[type(sign)], self._number(operand))
            case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC:
                symbol = _ARITHMETIC[type(operator)]
                return Arithmetic(start, end, symbol, self._number(node.left), self._number(node.right))
            case ast.BoolOp():
                symbol = "and" if isinstance(node.op, ast.And) else "or"
                return Logic(start, end, symbol, self._all(node.values))
            case ast.Compare() if all(type(op) in _COMPARISONS for op in node.ops):
                symbols = tuple(_COMPARISONS[type(op)] for op in node.ops)
                self._check_containers(symbols, node.comparators)
                return Comparison(start, end, symbols, self._all([node.left, *node.comparators]))
            case ast.List() | ast.Tuple() | ast.Set():
                return Display(start, end, _KINDS[type(node)], self._all(node.elts))
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in self._language.functions:
                return self._call(node, name)
        raise self._refusal(node)

    def _all(self, nodes: Iterable[ast.expr]) -> tuple[Node, ...]:
        return tuple(map(self.read, nodes))

    def _call(self, node: ast.Call, name: str) -> Node:
        if not 1 <= len(node.args) <= (3 if name == "range" else 1):
            raise self._refusal(node)
        if name == "range":
            for argument in node.args:
                if isinstance(argument, ast.Constant) and not isinstance(argument.value, int):
                    raise self._refusal(argument)
        return Call(*self._place(node), name, tuple(map(self._number if name == "range" else self.read, node.args)))

    def _number(self, node: ast.expr) -> Node:
        """Return an operand of arithmetic: texts and sequences would grow without bound."""
        found = self.read(node)
        is_text = isinstance(found, Constant) and isinstance(found.value, str)
        if is_text or isinstance(found, Display) or (isinstance(found, Call) and found.function == "range"):
            raise self._refusal(node)
        return found

    def _check_containers(self, symbols: Iterable[str], operands: Iterable[ast.expr]) -> None:
        """Refuse ``in ('S3A')``, which is ``in 'S3A'`` and true of 'S3' too."""
        for symbol, operand in zip(symbols, operands, strict=True):
            text = operand.value if isinstance(operand, ast.Constant) else None
            if symbol in {"in", "not in"} and isinstance(text, str):
                why = f"looks for a part of {text!r}; accepted: == {text!r}, or in ({text!r},) with a comma"
                raise _error(self._text, self._language, self._place(operand), why)

    def _place(self, node: ast.expr) -> tuple[int, int]:
        start = self._position(node.lineno, node.col_offset)
        end = self._position(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self._offset + start, self._offset + end

    def _position(self, line: int, column: int) -> int:
        """Return the position of a place that Python counts in bytes of a line."""
        start = self._lines[min(line, len(self._lines)) - 1]
        if self._source.isascii():
            return start + column
        rest = self._source[start : start + column].encode()[:column]
        return start + len(rest.decode(errors="ignore"))

    def _refusal(self, node: ast.expr) -> ExpressionError:
        why = f"is not accepted; accepted: {self._language.accepted}"
        return _error(self._text, self._language, self._place(node), why)


def is_bounded(value: object) -> bool:
    """Return whether a value is no whole number, or one of up to 128 bits."""
    return not isinstance(value, int) or -LARGEST <= value <= LARGEST
