"""Reports agree with the collection, their markup is well formed, and quoted text is never active."""

import html.parser
import re
import shutil
import uuid
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from zcollection_report import Report, report
from zcollection_report.facts import spread
from zcollection_report.growth import curve

import zcollection as zc

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    '" onmouseover="alert(1)" x="',
    "</title></svg></style></textarea>--><img src=x onerror=alert(1)>",
    "]]>&amp;&#60;b&#62;",
    "\x1b[31m\x07\x9b\r\n\u202e\u2028\ufffe\U000e0001",
    "javascript:alert(1)",
)
VOID = {"meta", "link", "br", "hr", "img", "input", "base"}


class Parsed(html.parser.HTMLParser):
    """A document as parsed by a browser: its texts, elements and attributes; all elements are closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    def tags(self):
        return [tag for tag, _, _ in self.elements]


def schema(**attrs):
    made = (
        zc.Schema()
        .with_dimension("time", chunks=4096)
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
        .with_variable("latitude", dtype="float32", dimensions=("time",), attrs={"units": "degrees_north"})
        .with_variable("longitude", dtype="float32", dimensions=("time",), attrs={"standard_name": "longitude"})
        .with_variable("height", dtype="int16", dimensions=("time",), fill_value=-1, attrs={"units": "m"})
    )
    for name, value in attrs.items():
        made = made.with_attribute(name, value)
    return made


def rows(times):
    count = len(times)
    return {
        "time": times,
        "latitude": np.linspace(-10, 10, count, dtype="f4"),
        "longitude": np.linspace(170, 190, count, dtype="f4"),
        "height": np.ones(count, "i2"),
    }


@pytest.fixture
def collection(tmp_path):
    """Four days with a row every ten minutes, without one day and some hours; three versions."""
    made = zc.create_collection(tmp_path / "c", schema=schema(title="Sea level"), axis="time", partitioning="date:D")
    times = np.datetime64("2024-01-01", "s") + np.arange(4 * 144) * np.timedelta64(10, "m")
    for number, chosen in enumerate((times[:100], times[300:])):
        made.insert(rows(chosen), merge="concat", source=f"file{number}.nc")
    return made


def told(made):
    return re.sub(r"\s+", " ", " ".join(Parsed(made.html).texts))


def test_it_says_what_the_collection_says(collection):
    made, coverage = collection.report(), collection.coverage()
    assert isinstance(made, Report)
    text = told(made)
    records = collection.records()
    total = sum(record.rows for record in records.values())
    for part in (
        "Sea level",
        f"{collection.store.url}",
        f"{total:,} rows from 2024-01-01 to 2024-01-04 23:50:00",
        "one every 10 min (the most frequent one)",
        f"of the {coverage.total.expected:,} expected",
        "1 gap, the largest of 1 d 9 h 30 min",
        "file1.nc",
        "degrees_north",
        "no problem was found",
    ):
        assert part in text
    assert all(path in text for path in ("year=2024/month=01/day=01", "year=2024/month=01/day=03"))


def test_it_is_one_accessible_document_that_loads_nothing(collection):
    page = Parsed(collection.report().html)
    assert page.elements[0][:2] == ("html", {"lang": "en"})
    headings = [tag for tag in page.tags() if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
    targets = {attrs["id"] for _, attrs, _ in page.elements if "id" in attrs}
    links = [attrs["href"] for tag, attrs, _ in page.elements if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= targets
    assert all(attrs["href"].startswith("data:") for tag, attrs, _ in page.elements if tag == "link")
    assert not {"script", "img", "iframe", "object"} & set(page.tags())
    assert not any(word in collection.report().html for word in ("http://", "https://", "url(", "@import"))
    scrolling = [attrs for _, attrs, _ in page.elements if attrs.get("class") in {"zc-table", "zc-scroll"}]
    assert all(attrs.get("aria-label") and attrs.get("tabindex") == "0" for attrs in scrolling)
    assert page.tags().count("figure") == page.tags().count("figcaption") == page.tags().count("svg") >= 6


def pictures(made):
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", made.html, flags=re.DOTALL)]


def test_pictures_are_well_formed_and_described(collection):
    for picture in pictures(collection.report()):
        assert [child.tag for child in picture][:2] == ["title", "desc"]
        assert all(child.text for child in picture[:2])
        assert picture.get("role") == "img"
        assert not list(picture.iter("text")) or all(text.text for text in picture.iter("text"))


def test_the_colours_of_the_heat_map_are_the_shares(collection):
    heat = next(
        picture for picture in pictures(collection.report()) if picture[0].text.startswith("Share of expected rows")
    )
    cells = {cell[0].text: cell.get("class") for cell in heat.iter("rect")}
    parts = {part.key["day"]: part for part in collection.coverage().partitions}
    expected = {1: "zc-l2", 2: "zc-l0", 3: "zc-l3", 4: "zc-l4"}
    assert parts[1].share == 100 / 144
    assert parts[3].share == 132 / 144
    for day, shade in expected.items():
        assert [found for said, found in cells.items() if f"day {day}:" in said] == [shade]


def test_growth_is_what_was_held_at_each_version(collection):
    collection.drop_partitions(filters="day == 4")
    history = collection.history()
    held = sum(record.rows for record in collection.records().values())
    assert [entry.total.rows for entry in history] == [0, 100, 376, held]
    curves = {picture[0].text: picture[1].text for picture in pictures(collection.report())}
    assert curves["Rows"].startswith("From 0 at ")
    assert f" to {held} at " in curves["Rows"]


def test_a_long_history_makes_a_short_curve():
    times = np.datetime64("2000-01-01", "ms") + np.arange(200_000) * np.timedelta64(1, "h")
    drawn = curve("Rows", times, np.arange(200_000), str)
    (path,) = [part.get("d") for part in drawn.iter("path") if part.get("class") == "zc-curve"]
    places = [float(number) for number in re.findall(r"V([\d.]+)", path)]
    assert len(path) < 12_000
    assert places == sorted(places, reverse=True)
    assert places[-1] == 12.0  # the last value is the largest, and is drawn


def test_the_map_does_not_join_what_the_date_line_parts(tmp_path):
    made = zc.create_collection(tmp_path / "c", schema=schema(), axis="time", partitioning="date:D")
    times = np.datetime64("2024-01-01", "s") + np.arange(256 * 40) * np.timedelta64(1, "s")
    made.insert(rows(times))
    (world,) = [picture for picture in pictures(made.report()) if picture[0].text == "Positions of the rows"]
    (path,) = [part.get("d") for part in world.iter("path") if part.get("class") == "zc-curve zc-thin"]
    lines = [
        [
            tuple(map(float, point.split(",")))
            for point in re.sub(r"([\d.]+) ([\d.]+)", r"\1,\2", line).replace("L", " ").split()
        ]
        for line in path.split("M")[1:]
    ]
    assert len(lines) == 2
    assert sum(map(len, lines)) == 40
    assert all(abs(a[0] - b[0]) < 10 for line in lines for a, b in pairwise(line))
    assert "the middle of every 256 rows of 1 partitions" in told(made.report())


def test_positions_are_read_where_zones_are_too_wide(tmp_path):
    made = zc.create_collection(tmp_path / "c", schema=schema(), axis="time", partitioning="date:D")
    given = rows(np.datetime64("2024-01-01", "s") + np.arange(100) * np.timedelta64(1, "s"))
    given["longitude"] = np.linspace(-170, 170, 100, dtype="f4")
    made.insert(given)
    assert "rows of 1 of 1 partitions" in told(made.report())


def test_what_cannot_be_had_is_said_with_the_reason(tmp_path):
    texts = zc.Schema().with_dimension("row").with_variable("name", dtype="string", dimensions=("row",))
    made = zc.create_collection(tmp_path / "c", schema=texts, axis="name", partitioning="values:name")
    made.insert({"name": np.array(["a", "b"])})
    text = told(made.report())
    assert "Coverage is unavailable: the axis 'name' is of the type" in text
    assert "no problem was found" in text


def test_an_empty_collection_has_a_report(tmp_path):
    made = zc.create_collection(tmp_path / "c", schema=schema(), axis="time", partitioning="date:D")
    assert "There are no rows." in told(made.report())


def test_damage_is_named(collection, tmp_path):
    shutil.rmtree(tmp_path / "c" / "year=2024" / "month=01" / "day=04" / "height" / "c")
    text = told(collection.report())
    assert "1 problem; repair() repairs what is repairable" in text
    assert "it is missing" in text


def test_a_view_says_what_is_current(collection, tmp_path):
    view = zc.create_view(
        tmp_path / "v", base=collection, computation=zc.computation.Expression({"twice": "2 * height"})
    )
    view.refresh(filters="day != 4")
    collection.update(lambda part: {"height": part["height"].to_numpy() + 1}, filters="day == 1")
    text = told(view.report())
    for part in (
        "State of the view",
        "current 1",
        "stale 1",
        "missing 1",
        "view over",
        "Coverage and gaps of the base",
        "twice",
    ):
        assert part in text
    shades = next(picture for picture in pictures(view.report()) if picture[0].text.startswith("State of the view"))
    assert sorted(cell.get("class") for cell in shades.iter("rect")) == ["zc-l0", "zc-l1", "zc-l4"]
    assert "in 2 of 3 partitions" in text  # sizes are those of what was computed


def test_sizes_are_those_of_the_objects(collection, tmp_path):
    height = sum(file.stat().st_size for file in (tmp_path / "c").rglob("height/**/*") if file.is_file())
    assert collection.stored_bytes()["height"] == height
    count = sum(record.rows for record in collection.records().values())
    (row,) = re.findall(r'<th scope="row">height</th><td>int16</td><td class=.*?</tr>', collection.report().html)
    assert f"{2 * count / height:.2f}" in row


@pytest.mark.parametrize("sample", [0, -1, True, 1.5, "all"])
def test_a_sample_is_a_number_of_partitions(collection, sample):
    with pytest.raises(zc.errors.SettingError, match="accepted: an integer of at least 1, or None for all partitions"):
        report(collection, sample=sample)


def test_a_sample_is_spread_and_told(collection):
    assert spread(range(1000), 4) == [0, 333, 666, 999]
    assert "2 partitions (evenly spread among 3)" in told(report(collection, sample=2))


def test_the_file_appears_whole_and_replaces_another(collection, tmp_path):
    made = collection.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == made.html
    assert made.save(tmp_path / "report.html") == tmp_path / "report.html"
    assert {file.name for file in tmp_path.iterdir()} == {"c", "report.html"}
    assert repr(made).startswith("<zcollection.Report Sea level> Summary, Coverage and gaps")


@pytest.fixture
def hostile():
    made = schema(title=HOSTILE[2], **dict(zip(map("a{}".format, range(9)), HOSTILE, strict=False)))
    made = made.with_variable("station", dtype="string", dimensions=("time",), attrs={"units": SCRIPT})
    for text in HOSTILE:
        made = made.with_attribute(text, text)
    place = f"memory://{uuid.uuid4().hex}"
    collection = zc.create_collection(place, schema=made, axis="time", partitioning="values:station")
    stations = [text for text in HOSTILE if text.isprintable()] + [f"w{number}" for number in range(40)]
    times = np.datetime64("2024-01-01", "s") + np.tile([0, 1, 5], len(stations)) * np.timedelta64(1, "s")
    for source in HOSTILE:
        given = rows(times) | {"station": np.repeat(np.array(stations), 3)}
        collection.insert(given, source=source)
    return collection


def test_hostile_strings_do_nothing(hostile):
    shown = [
        hostile.report().html,
        *(item._repr_html_() for item in (hostile, hostile.coverage(), hostile.history(), hostile.report())),
    ]
    for markup in shown:
        page = Parsed(markup)
        assert "script" not in page.tags()
        assert "img" not in page.tags()
        assert not [name for _, attrs, _ in page.elements for name in attrs if name.startswith("on")]
        assert not [
            value for _, attrs, _ in page.elements for value in attrs.values() if "javascript:" in (value or "")
        ]
        assert markup.replace("\n", "").isprintable()
        for found in re.findall(r"<svg.*?</svg>", markup, flags=re.DOTALL):
            ET.fromstring(found)
    texts = "".join(Parsed(shown[0]).texts)
    assert SCRIPT in texts
    assert r"\x1b[31m\x07\x9b\r \u202e\u2028\ufffe\U000e0001" in texts


def test_many_partitions_make_a_small_file():
    only = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    many = zc.create_collection(f"memory://{uuid.uuid4().hex}", schema=only, axis="time", partitioning="date:D")
    days = np.datetime64("1990-01-01", "s") + np.arange(2000) * np.timedelta64(1, "D")
    many.insert({"time": days[np.arange(2000) % 11 > 0]})
    # Of 10,000 as many cells are drawn: see tests/benchmarks/reporting.py.
    assert len(many.report().html) < 300_000
    assert len(many._repr_html_()) < 40_000
