"""The HTML of reprs, checked as a browser would not: every tag balanced and known, nothing run, no colour chosen."""

import html.parser

_TAGS = {"div", "strong", "details", "summary", "table", "tr", "th", "td"}
_ATTRIBUTES = {"open", "style"}


class _Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        assert tag in _TAGS
        assert {name for name, _ in attrs} <= _ATTRIBUTES
        assert not any("color" in (value or "") or "background" in (value or "") for _, value in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
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
