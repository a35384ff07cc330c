"""Reports and what notebooks show, in a real browser: nothing runs, nothing is asked for, nothing is too wide or too pale."""

import io
import re
import shutil
import subprocess

import pictured
import pytest
from zcollection_report import report

import zcollection as zc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def pages(folder):
    """Each page as a file, by name."""
    rich, hostile = pictured.rich(folder / "rich"), pictured.hostile(folder / "hostile")
    view = pictured.view_of(folder / "view", rich)
    empty = zc.create_collection(folder / "empty", schema=rich.schema, axis="time", partitioning="date:D")
    made = {
        "rich": report(rich).html,
        "hostile": report(hostile).html,
        "view": report(view).html,
        "empty": report(empty).html,
        "notebook of a collection": _notebook(rich),
        "notebook of hostile names": _notebook(hostile, hostile.coverage(), hostile.history(), report(hostile)),
        "notebook of a view": _notebook(view, view.base.coverage(), view.history()),
    }
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in made}


def _notebook(*items):
    """A page with what a notebook shows, and the colours that it may have."""
    shown = "".join(f"<div>{item._repr_html_()}</div>" for item in items)
    style = (
        "body{margin:8px;font-family:sans-serif}@media (prefers-color-scheme:dark){body{background:#111;color:#eee}}"
    )
    head = f"<meta charset='utf-8'><title>notebook</title><link rel='icon' href='data:,'><style>{style}</style>"
    return f"<!DOCTYPE html><html lang='en'><head>{head}</head><body>{shown}</body></html>"


PAGES = (
    "rich",
    "hostile",
    "view",
    "empty",
    *(f"notebook of {of}" for of in ("a collection", "hostile names", "a view")),
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_right_in_a_browser(chromium, pages, name):
    seen = chromium.look(pages[name])
    assert seen.console == []
    assert seen.requests == []
    assert seen.wide == []
    assert seen.pale == []
    assert chromium.driver.title != "broken"
    # What was closed is there too: pictures of something, and no element that a text has brought along.
    made = (
        "return [...document.querySelectorAll('script, iframe, object, embed, img, form, base')].map(e => e.outerHTML)"
    )
    assert chromium.driver.execute_script(made) == []
    on = (
        "return [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
    )
    assert chromium.driver.execute_script(on) == []


def test_dark_is_dark_and_paper_is_white(chromium, pages):
    background = "return getComputedStyle(document.querySelector('.zc-page')).backgroundColor"
    chromium.look(pages["rich"], widths=[1280], schemes=["dark"])
    assert max(_numbers(chromium.driver.execute_script(background))) < 60
    chromium.set(width=1280, scheme="dark", media="print")
    assert min(_numbers(chromium.driver.execute_script(background))) == 255


def _numbers(color):
    return [float(number) for number in re.findall(r"[\d.]+", color)]


def test_keys_reach_every_part_that_scrolls(chromium, pages):
    chromium.look(pages["rich"], widths=[390], schemes=["light"])
    wide = """return [...document.querySelectorAll('.zc *')].filter(e => e.scrollWidth > e.clientWidth + 1
        && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"""
    assert chromium.driver.execute_script(wide) == 0


def test_printed_it_has_its_texts_and_no_page_without(chromium, pages, folder):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed: apt-get install poppler-utils")
    chromium.look(pages["rich"], widths=[1280], schemes=["light"])
    (folder / "rich.pdf").write_bytes(chromium.printed())
    done = subprocess.run(["pdftotext", "-layout", folder / "rich.pdf", "-"], capture_output=True, check=True)
    text = io.TextIOWrapper(io.BytesIO(done.stdout), encoding="utf-8").read()
    for part in ("Simulated altimeter", "Coverage and gaps", "SIM_2PfP_007.nc", "Size and compression"):
        assert part in text
    pages_of = text.rstrip("\f").split("\f")
    assert 2 <= len(pages_of) <= 12
    assert all(page.strip() for page in pages_of)
