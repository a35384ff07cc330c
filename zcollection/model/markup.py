"""HTML and SVG as trees of elements, so that text is always escaped: markup is never built from strings."""

from collections.abc import Iterable
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from zcollection.model.formatting import shortened

Child: TypeAlias = "Element | str | int | float | Iterable[Child] | None"
"""A child of an element: an element, a string, a number, None, or an iterable of these."""

_LONGEST = 2000
"""Maximum length of a string; the rest is cut."""

_MOST_ESCAPED = 10
"""Maximum number of characters in the escape sequence of one control character."""

_RAW = frozenset({"script", "style"})
"""Elements whose content a browser does not treat as text."""


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Element:
    """Return an element of HTML or SVG.

    Parameters
    ----------
    name
        Name of the element; elements that execute code are rejected.
    *children
        Elements, strings and numbers, also nested in iterables; None is omitted. Control characters in strings are escaped,
        and credentials in URLs are removed.
    **attributes
        Attributes by name: an underscore means a hyphen, and a trailing one is removed (``class_``). None is omitted.

    Raises
    ------
    ValueError
        The element or an attribute executes code.

    Examples
    --------
    >>> to_html(tag("p", "a < b", tag("b", 3), class_="note", data_x=1.5))
    '<p class="note" data-x="1.5">a &lt; b<b>3</b></p>'
    """
    escaped = {_attribute(key): _as_text(value, None) for key, value in attributes.items() if value is not None}
    if name in _RAW or any(key.startswith("on") for key in escaped):
        message = f"<{name}> with {sorted(escaped)}; accepted: elements and attributes that execute no code"
        raise ValueError(message)
    element = Element(name, escaped)
    _fill(element, children)
    return element


def stylesheet(text: str) -> Element:
    """Return a style sheet. The text is not escaped: it must be a constant of the caller, without any user data."""
    element = Element("style")
    element.text = text
    return element


def to_html(element: Element) -> str:
    """Return an element as HTML; SVG elements may be nested in it."""
    return tostring(element, encoding="unicode", method="html")


def _fill(element: Element, children: Iterable[Child]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Element):
            element.append(child)
        elif isinstance(child, str | int | float):
            _append(element, _as_text(child, _LONGEST))
        else:
            _fill(element, child)


def _append(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _as_text(value: str | float, longest: int | None) -> str:
    """Return a string or a number without control characters; None for `longest` keeps long attribute values complete."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    text = f"{value}"
    return shortened(text, _MOST_ESCAPED * len(text) if longest is None else longest)
