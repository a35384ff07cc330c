"""The parts of a page: sections, tables, key figures, and the HTML document."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from attrs import frozen
from zcollection_coverage.drawing import style

from zcollection.plugin import shortened, stylesheet, tag, to_html

_LONGEST: Final = 160
"""The largest number of characters of a cell."""

_STYLE: Final = """
html{background:#fff}
@media screen and (prefers-color-scheme:dark){html{background:#12181f}}
body{margin:0}
.zc-page{background:var(--zc-paper);max-width:70rem;margin:0 auto;padding:1.5rem clamp(1rem,4vw,3rem) 3rem;
overflow-wrap:break-word}
.zc-page h1{font-size:1.9rem;line-height:1.2;margin:0 0 .2rem}
.zc-page h2{font-size:1.3rem;margin:2.4rem 0 .7rem;padding-top:.9rem;border-top:1px solid var(--zc-line)}
.zc-page h3{font-size:1.02rem;margin:1.4rem 0 .4rem}
.zc-page p{margin:.4rem 0 .7rem;max-width:46rem}
.zc-page a{color:var(--zc-accent)}
.zc-page .zc-place{color:var(--zc-soft);margin:0 0 1rem;overflow-wrap:anywhere}
.zc-page nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;margin:1rem 0 0;padding:0}
.zc-page dl.zc-cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.7rem;margin:1.2rem 0}
.zc-page dl.zc-cards div{background:var(--zc-panel);border:1px solid var(--zc-line);border-radius:.5rem;padding:.6rem .8rem}
.zc-page dl.zc-cards dt{color:var(--zc-soft);font-size:.82rem}
.zc-page dl.zc-cards dd{margin:0;font-size:1.15rem;white-space:nowrap;font-weight:600;font-variant-numeric:tabular-nums}
.zc-page table{border-collapse:collapse;font-size:.9rem;margin:0}
.zc-page caption{text-align:left;font-weight:600;padding:0 0 .35rem}
.zc-page th,.zc-page td{text-align:left;vertical-align:top;padding:.28rem 1.1rem .28rem 0;
border-bottom:1px solid var(--zc-line)}
.zc-page thead th{color:var(--zc-soft);font-weight:600;white-space:nowrap}
.zc-page tbody th{font-weight:500}
.zc-page .zc-number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.zc-page .zc-table{overflow-x:auto;margin:.6rem 0 1.2rem}
.zc-page .zc-pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:0 2.2rem}
.zc-page .zc-pair>*{min-width:0}
.zc-page ul.zc-checks{list-style:none;padding:0;margin:.6rem 0}
.zc-page ul.zc-checks li{padding:.35rem 0 .35rem 1.7rem;position:relative;max-width:46rem}
.zc-page ul.zc-checks li::before{position:absolute;left:0;font-weight:700}
.zc-page li.zc-fine::before{content:"✓";color:var(--zc-good)}
.zc-page li.zc-wrong::before{content:"✗";color:var(--zc-bad)}
.zc-page li.zc-note::before{content:"!";color:var(--zc-accent);left:.25rem}
.zc-page summary{cursor:pointer;color:var(--zc-accent)}
.zc-page footer{color:var(--zc-soft);font-size:.85rem;margin-top:2.5rem;border-top:1px solid var(--zc-line);padding-top:.8rem}
.zc-page :focus-visible{outline:2px solid var(--zc-accent);outline-offset:2px}
@media print{@page{margin:16mm 14mm}.zc-page{max-width:none;padding:0;font-size:10.5pt}.zc-page nav{display:none}
.zc-page h2,.zc-page h3,.zc-page caption{break-after:avoid}.zc-page .zc-table{overflow:visible;break-inside:avoid}
.zc-page .zc-pair{grid-template-columns:1fr 1fr}.zc-page ul.zc-checks li{break-inside:avoid}
.zc-page details::details-content{content-visibility:visible;block-size:auto}.zc-page thead{display:table-header-group}}
"""


@frozen
class Chapter:
    """A section of a page.

    Attributes
    ----------
    name
        The anchor of the section.
    title
        The heading of the section.
    parts
        The content.
    """

    name: str
    title: str
    parts: Sequence[Element | None]

    @property
    def element(self) -> Element:
        """The section; its heading is also its name for screen readers."""
        heading = tag("h2", self.title, id=f"zc-{self.name}")
        return tag("section", heading, self.parts, aria_labelledby=f"zc-{self.name}")


def table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, numeric: Sequence[str] = (), rest: int = 0
) -> Element | None:
    """Return a table whose first column names the rows; None without rows.

    Parameters
    ----------
    caption
        The caption.
    header, rows
        The names of the columns, and the cells; None is an empty cell, and integers are written with commas.
    numeric
        Columns that are aligned to the right.
    rest
        The number of rows that are not listed.
    """
    if not rows:
        return None
    sides = ["zc-number" if name in numeric else None for name in header]
    head = tag(
        "thead",
        tag("tr", [tag("th", name, scope="col", class_=side) for name, side in zip(header, sides, strict=True)]),
    )
    body = tag("tbody", [_row(row, sides) for row in rows])
    content = tag("table", tag("caption", caption), head, body)
    more = tag("p", f"… {rest:,} more") if rest > 0 else None
    return tag(
        "div", content, more, class_="zc-table", tabindex="0", role="group", aria_label=f"Table: {shortened(caption)}"
    )


def _row(cells: Sequence[object], sides: Sequence[str | None]) -> Element:
    first, *rest = [_cell(cell) for cell in cells]
    named = tag("th", first, scope="row", class_=sides[0])
    return tag("tr", named, [tag("td", cell, class_=side) for cell, side in zip(rest, sides[1:], strict=True)])


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return shortened(value, _LONGEST)


def facts(pairs: Mapping[str, object]) -> Element:
    """Return a table of values by name; None values are left out."""
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", _cell(value)))
        for name, value in pairs.items()
        if value is not None
    ]
    return tag(
        "div", tag("table", tag("tbody", rows)), class_="zc-table", tabindex="0", role="group", aria_label="Facts"
    )


def cards(pairs: Mapping[str, str | None]) -> Element:
    """Return key figures; None values are left out."""
    shown = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs.items() if value is not None]
    return tag("dl", shown, class_="zc-cards")


def folded(summary: str, *parts: Element | None) -> Element | None:
    """Return a collapsed element; None without content."""
    return tag("details", tag("summary", summary), parts) if any(part is not None for part in parts) else None


def check(kind: str, text: str) -> Element:
    """Return the result of a check; its kind is "fine", "wrong" or "note"."""
    word = {"fine": "Fine: ", "wrong": "Wrong: ", "note": "Note: "}[kind]
    return tag("li", tag("strong", word), text, class_=f"zc-{kind}")


def counted(number: int, what: str) -> str:
    """Return a count with its noun, in the plural if needed.

    Examples
    --------
    >>> counted(1, "gap"), counted(2000, "gap")
    ('1 gap', '2,000 gaps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def main_of(
    header: Sequence[Element | None], chapters: Sequence[Chapter], footer: str, *, has_contents: bool
) -> Element:
    """Return a page without the HTML document around it."""
    links = [tag("li", tag("a", chapter.title, href=f"#zc-{chapter.name}")) for chapter in chapters]
    contents = tag("nav", tag("ul", links), aria_label="Sections") if has_contents else None
    body = [
        tag("header", header, contents),
        tag("main", [chapter.element for chapter in chapters]),
        tag("footer", footer),
    ]
    return tag("div", body, class_="zc zc-page")


def document(title: str, page: Element) -> str:
    """Return an HTML document without external resources or scripts."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        ),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        style(),
        stylesheet(_STYLE),
    )
    return f"<!DOCTYPE html>\n{to_html(tag('html', head, tag('body', page), lang='en'))}\n"


def fragment(page: Element) -> str:
    """Return a page as a part of another HTML document."""
    return to_html(tag("div", style(), stylesheet(_STYLE.partition("body{margin:0}\n")[2]), page))
