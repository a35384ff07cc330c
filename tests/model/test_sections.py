import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markup import texts_of

from zcollection.model.formatting import listed, shortened
from zcollection.model.sections import Section, Table, as_text, heading, named
from zcollection.model.sections_html import as_html

TEXTS = st.text(st.characters(), max_size=300)


class Item:
    def __init__(self, name, size):
        self.name, self.size = name, size


ITEMS = [Item("a", 5), Item("bcd", 12_345)]


def lines(table):
    return as_text(Section("top", [table])).splitlines()[1:]


def test_strings_are_aligned_to_the_left_and_numbers_to_the_right():
    assert lines(Table.of("Items", ITEMS, named("name", "size"))) == [
        "Items:",
        "    name    size",
        "    a          5",
        "    bcd   12,345",
    ]


def test_an_empty_column_is_omitted():
    columns = {"name": lambda item: item.name, "units": lambda item: None, "note": lambda item: ""}
    assert lines(Table.of("Items", ITEMS, columns)) == ["Items:", "    name", "    a", "    bcd"]


def test_a_table_without_rows_is_not_shown():
    empty = Section("top", [Table.of("Items", [], named("name")), Table.pairs("", {"a": None})])
    assert as_text(empty) == "top"
    assert texts_of(as_html(empty)) == ["top"]


def test_omitted_rows_are_counted():
    table = Table.of("Items", range(1000), {"": str}, most=2, has_header=False)
    assert lines(table) == ["Items:", "    0", "    1", "    … 998 more"]
    assert texts_of(as_html(Section("top", [table]))) == ["top", "Items", "0", "1", "… 998 more"]


def test_sections_nest():
    page = Section("top", ["line", Section("Groups", [Section("ku", [Table.pairs("", {"size": 3})])])])
    assert as_text(page).splitlines() == ["top", "line", "Groups:", "    ku:", "            size:  3"]
    assert texts_of(as_html(page)) == ["top", "line", "Groups", "ku", "size:", "3"]


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), TEXTS)
def test_any_string_gives_a_valid_page_without_extra_lines(pairs, title):
    columns = {"first": lambda item: item[0], "second": lambda item: item[1]}
    page = Section(
        heading(object(), title), [Table.of("Items", pairs, columns), Section(shortened(title), [shortened(title)])]
    )
    text = as_text(page)
    assert all(line.isprintable() and len(line) < 500 for line in text.split("\n"))
    assert len(text.split("\n")) <= 5 + len(pairs)
    shown = "".join(texts_of(as_html(page)))
    assert shown.count(shortened(title)) >= 3
    for first, second in pairs:
        assert shortened(first) in shown
        assert shortened(second) in shown


@settings(deadline=None)
@given(st.from_regex(r"[a-z]+:[a-z0-9%]+", fullmatch=True), st.sampled_from(["", "see ", "a b "]), st.integers(1, 99))
def test_credentials_in_a_truncated_url_are_not_shown(user, before, widest):
    secret = user.partition(":")[2]
    text = f"{before}s3://{user}@host.org/bucket?X-Amz-Signature={secret} behind"
    shown = shortened(text, widest)
    assert len(shown) <= widest
    assert shown.removesuffix("…") == f"{before}s3://***@host.org/bucket?*** behind"[: len(shown.removesuffix("…"))]


def test_a_very_long_string_is_scanned_once():
    assert len(shortened("a://b" * 200_000)) == 200  # linear time, else the test would time out


def test_every_text_is_escaped():
    page = Section("<a>", ["<b>", Section("<c>", ["<d>"]), Table.of("<e>", ["<g>"], {"<f>": str})])
    assert texts_of(as_html(page)) == ["<a>", "<b>", "<c>", "<d>", "<e>", "<f>", "<g>"]


@pytest.mark.parametrize("text", ["file:///data/a@b", "s3://bucket/a@b", "me@host.org", "a: b ? c", "/data/x?y"])
def test_other_parts_of_urls_are_shown(text):
    assert shortened(text) == text


@pytest.mark.parametrize(("count", "expected"), [(0, ""), (2, "n0, n1"), (3, "n0, n1, … (3 in all)")])
def test_of_many_names_the_first_are_listed(count, expected):
    assert listed([f"n{number}" for number in range(count)], most=2) == expected


def test_html_leaves_colours_to_the_page():
    page = as_html(Section("top", [Table.of("Items", ITEMS, named("name", "size"))]))
    assert not re.search(r"color|background|#[0-9a-f]{3}|script|class=", page)
