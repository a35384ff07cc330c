"""HTML and SVG as trees of elements: no text becomes markup, whatever it holds, for markup is never put together from texts."""

from collections.abc import Iterable
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from zcollection.model.texts import shortened

Child: TypeAlias = "Element | str | int | float | Iterable[Child] | None"
"""What may stand in an element: others, texts and numbers, nothing, or several of these."""

_LONGEST = 2000
"""Characters of a text at most."""

_MOST_ESCAPED = 10
"""Characters that one becomes, at most, where it controls something."""

_RAW = frozenset({"script", "style"})
"""Elements whose text a browser does not read as text."""


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Element:
    """Return an element of HTML or SVG.

    Parameters
    ----------
    name
        Of the element; none that runs anything.
    *children
        Elements, texts and numbers, and any nesting of these; None is left out. A text is shown as it is, but for characters
        that control anything and for credentials of URLs.
    **attributes
        By name: an underscore stands for a hyphen, one at the end for nothing (``class_``). None is left out.

    Raises
    ------
    ValueError
        The element or an attribute is one that runs something.

    Examples
    --------
    >>> to_html(tag("p", "a < b", tag("b", 3), class_="note", data_x=1.5))
    '<p class="note" data-x="1.5">a &lt; b<b>3</b></p>'
    """
    given = {_attribute(key): _said(value, None) for key, value in attributes.items() if value is not None}
    if name in _RAW or any(key.startswith("on") for key in given):
        message = f"<{name}> with {sorted(given)}; accepted: elements and attributes that run nothing"
        raise ValueError(message)
    element = Element(name, given)
    _fill(element, children)
    return element


def stylesheet(text: str) -> Element:
    """Return a style sheet, which is written by us and holds nothing of anybody's data."""
    element = Element("style")
    element.text = text
    return element


def to_html(element: Element) -> str:
    """Return an element as HTML, SVG within it included."""
    return tostring(element, encoding="unicode", method="html")


def _fill(element: Element, children: Iterable[Child]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Element):
            element.append(child)
        elif isinstance(child, str | int | float):
            _append(element, _said(child, _LONGEST))
        else:
            _fill(element, child)


def _append(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _said(value: str | float, longest: int | None) -> str:
    """Return a text or a number in characters that control nothing; what an attribute says, such as a path, is never cut."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    text = f"{value}"
    return shortened(text, _MOST_ESCAPED * len(text) if longest is None else longest)
