"""The HTML of reprs, checked as a browser would not: every tag balanced and known, nothing run, no colour chosen but by class."""

import html.parser

_TAGS = {"div", "strong", "details", "summary", "table", "tr", "th", "td", "span", "style", "figure", "figcaption"}
_PICTURE = {"svg", "title", "desc", "path", "rect", "circle", "text"}
_ATTRIBUTES = {"open", "style", "class", "tabindex", "role", "aria-label"}
_DRAWN = {"viewbox", "d", "x", "y", "cx", "cy", "r", "width", "height", "text-anchor", "font-size"}


class _Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        is_drawn = "svg" in (*self.open, tag)
        assert tag in (_PICTURE if is_drawn else _TAGS)
        assert {name for name, _ in attrs} <= _ATTRIBUTES | (_DRAWN if is_drawn else set())
        styles = [value or "" for name, value in attrs if name == "style"]
        assert not any("color" in style or "background" in style for style in styles)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:  # a sheet is ours, and quotes nothing
            self.texts.append(data)

    def unknown_decl(self, data):
        raise AssertionError(data)

    handle_comment = handle_decl = handle_pi = unknown_decl


def texts_of(markup):
    """Return the texts of a repr in HTML, which is valid."""
    parser = _Parser()
    parser.feed(markup)
    parser.close()
    assert parser.open == []
    return parser.texts
