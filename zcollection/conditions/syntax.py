"""The syntax of filters and conditions: text parsed to a tree of bounded size, which is never evaluated as Python."""

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from zcollection.errors import ExpressionError
from zcollection.model.formatting import shortened

LONGEST: Final = 10_000
LARGEST: Final = 2**127 - 1
"""Largest integer: large enough for the product of any two 64-bit integers, and small enough for fast arithmetic."""

_DEEPEST: Final = 100
_SHOWN: Final = 60


@frozen
class Language:
    """A variant of the language: its functions, and its names in error messages.

    Attributes
    ----------
    noun
        What error messages call a string in this language, such as "filter".
    functions
        Functions that may be called.
    accepted
        Description of the accepted syntax.
    otherwise
        Advice for a string that is too long.
    """

    noun: str
    functions: frozenset[str]
    accepted: str
    otherwise: str


@frozen
class Node:
    """A node of the tree, with its start and end in the text."""

    start: int = field(eq=False, repr=False)
    end: int = field(eq=False, repr=False)


@frozen
class Constant(Node):
    """A number, a string, True or False."""

    value: bool | int | float | str


@frozen
class Name(Node):
    """The name of a variable or a key field."""

    name: str


@frozen
class Sign(Node):
    """A unary ``+`` or ``-``."""

    symbol: str
    operand: Node


@frozen
class Arithmetic(Node):
    """A binary ``+ - * / // %``."""

    symbol: str
    left: Node
    right: Node


@frozen
class Comparison(Node):
    """A comparison, which may be chained: ``2 < x <= 3``."""

    symbols: tuple[str, ...]
    operands: tuple[Node, ...]

    def pairs(self) -> Iterator[tuple[str, Node, Node]]:
        """Yield the single comparisons of the chain, which must all be true."""
        yield from zip(self.symbols, self.operands, self.operands[1:], strict=False)


@frozen
class Display(Node):
    """A literal list, tuple or set."""

    kind: type[list[object]] | type[tuple[object, ...]] | type[set[object]]
    elements: tuple[Node, ...]


@frozen
class Call(Node):
    """A call of a function."""

    function: str
    arguments: tuple[Node, ...]


@frozen
class Not(Node):
    """A negation."""

    operand: Node


@frozen
class Logic(Node):
    """A conjunction (``and``) or disjunction (``or``)."""

    symbol: str
    operands: tuple[Node, ...]


@frozen
class Parsed:
    """A parsed text.

    Attributes
    ----------
    text
        The text.
    language
        The language of the text.
    root
        The root of the tree.
    """

    text: str
    language: Language
    root: Node

    def conjuncts(self) -> tuple[Node, ...]:
        """Return the operands of a conjunction at the root, or the root."""
        root = self.root
        return root.operands if isinstance(root, Logic) and root.symbol == "and" else (root,)

    def error(self, node: Node, why: str) -> ExpressionError:
        """Return an error that shows the text of a node, its column and the reason."""
        return _error(self.text, self.language, (node.start, node.end), why)


def nodes_in(node: Node) -> Iterator[Node]:
    """Yield a node and its descendants, in the order of the text."""
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
    """Yield the names in a node and its descendants, in the order of the text."""
    return (part for part in nodes_in(node) if isinstance(part, Name))


@lru_cache(maxsize=64)
def parse(text: str, language: Language, names: tuple[str, ...] = ()) -> Parsed:
    """Parse a text.

    Parameters
    ----------
    text
        The text. Names that are not Python identifiers are enclosed in backticks.
    language
        The language of the text.
    names
        Names that are accepted without backticks even if they are Python keywords, such as ``pass``.

    Raises
    ------
    ExpressionError
        The text has a syntax error or unsupported syntax, or is too long or too deeply nested.

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
"""A string literal, a name in backticks or a word. An unterminated literal matches to the end, which keeps the time linear."""

_FIRST_ALIAS: Final = 0x4E00
"""The first of a large range of characters (CJK) that are valid in Python identifiers and not changed by normalisation."""


def _with_aliases(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Replace names that are not Python identifiers by aliases of the same length; return the text and names by alias."""
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
# No power and no shift, which could create huge numbers from two small ones.
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
    """Converts Python's syntax tree to the tree of a language, and rejects unsupported syntax."""

    def __init__(self, text: str, source: str, language: Language, aliases: Mapping[str, str]) -> None:
        self._text = text
        self._language = language
        self._aliases = aliases
        self._offset = len(source) - len(source.lstrip())
        self._source = source.strip()
        self._lines = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", self._source))]

    def read(self, node: ast.expr) -> Node:  # noqa: PLR0911 - one for each kind of node
        """Convert a node of Python's tree."""
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
        """Convert an operand of arithmetic; strings and sequences, which could grow without limit, are rejected."""
        found = self.read(node)
        is_text = isinstance(found, Constant) and isinstance(found.value, str)
        if is_text or isinstance(found, Display) or (isinstance(found, Call) and found.function == "range"):
            raise self._refusal(node)
        return found

    def _check_containers(self, symbols: Iterable[str], operands: Iterable[ast.expr]) -> None:
        """Reject ``in ('S3A')``, which means ``in 'S3A'`` and is also true for 'S3'."""
        for symbol, operand in zip(symbols, operands, strict=True):
            text = operand.value if isinstance(operand, ast.Constant) else None
            if symbol in {"in", "not in"} and isinstance(text, str):
                why = f"searches for a substring of {text!r}; accepted: == {text!r}, or in ({text!r},) with a comma"
                raise _error(self._text, self._language, self._place(operand), why)

    def _place(self, node: ast.expr) -> tuple[int, int]:
        start = self._position(node.lineno, node.col_offset)
        end = self._position(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self._offset + start, self._offset + end

    def _position(self, line: int, column: int) -> int:
        """Return the position in the text for a line and a column, which Python counts in bytes."""
        start = self._lines[min(line, len(self._lines)) - 1]
        if self._source.isascii():
            return start + column
        rest = self._source[start : start + column].encode()[:column]
        return start + len(rest.decode(errors="ignore"))

    def _refusal(self, node: ast.expr) -> ExpressionError:
        why = f"is not accepted; accepted: {self._language.accepted}"
        return _error(self._text, self._language, self._place(node), why)


def is_bounded(value: object) -> bool:
    """Return whether a value is not an integer, or an integer of at most 128 bits."""
    return not isinstance(value, int) or -LARGEST <= value <= LARGEST
