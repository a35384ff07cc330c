"""Local paths and URLs on Windows: what is accepted, what is refused, and what a printed URL leads back to."""

import ntpath
import os
from pathlib import PureWindowsPath

import pytest
import systems
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import StoreURL, defect_on_windows
from zcollection.view import reference

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the others are played on a POSIX system")

LETTERS = st.characters(codec="utf-8", exclude_characters='<>:"/\\|?*', min_codepoint=32)
NAMES = st.text(LETTERS, min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."} and not defect_on_windows(name)
)
ANCHORS = st.sampled_from(["C:\\", "d:\\", "\\\\server\\share\\"])
PATHS = st.builds(lambda anchor, names: anchor + "\\".join(names), ANCHORS, st.lists(NAMES, min_size=1, max_size=4))


@pytest.fixture(autouse=True)
def _windows(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/Users/somebody")
    monkeypatch.chdir(tmp_path)
    systems.play("windows", monkeypatch.setattr, monkeypatch.setitem)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("C:\\data\\x", "C:\\data\\x"),
        ("C:/data/x", "C:\\data\\x"),
        ("c:/data//x/", "c:\\data\\x"),
        ("C:\\data\\with%20space", "C:\\data\\with%20space"),
        ("C:\\", "C:\\"),
        ("C://data", "C:\\data"),
        ("\\data", "C:\\data"),
        ("\\\\server\\share\\x", "\\\\server\\share\\x"),
        ("//server/share/x", "\\\\server\\share\\x"),
        ("\\\\?\\C:\\data", "C:\\data"),
        ("\\\\?\\UNC\\server\\share\\x", "\\\\server\\share\\x"),
        ("data\\x", "{here}\\data\\x"),
        ("./data/../x", "{here}\\x"),
        ("~", "C:\\Users\\somebody"),
        ("~\\a", "C:\\Users\\somebody\\a"),
        ("~/a", "C:\\Users\\somebody\\a"),
        ("file:///C:/data/x", "C:\\data\\x"),
        ("file:/C:/data/x", "C:\\data\\x"),
        ("file://localhost/C:/data/x", "C:\\data\\x"),
        ("file:///C:/data/with%20space%25", "C:\\data\\with space%"),
        ("file:///C:\\data", "C:\\data"),
        ("file://server/share/a%20b", "\\\\server\\share\\a b"),
        ("file:////server/share/x", "\\\\server\\share\\x"),
    ],
)
def test_a_path_or_a_url_names_a_directory(text, path, tmp_path):
    here = "C:" + str(tmp_path).replace("/", "\\")
    assert StoreURL.parse(text) == StoreURL("file", path.format(here=here))


@given(PATHS)
def test_any_path_leads_back_from_its_url(path):
    url = StoreURL.parse(path)
    assert url.location == ntpath.normpath(path)
    assert PureWindowsPath(url.location) == PureWindowsPath(path)
    assert StoreURL.parse(str(url)) == url
    assert StoreURL.parse(PureWindowsPath(path)) == url
    assert "\\" not in str(url)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("C:\\data\\pass 1", "file:///C:/data/pass%201"),
        ("\\\\server\\share\\é", "file://server/share/%C3%A9"),
        ("D:\\100%#", "file:///D:/100%25%23"),
    ],
)
def test_a_url_is_that_of_rfc_8089(path, url):
    assert str(StoreURL.parse(path)) == url == f"{StoreURL.parse(path)}"


@pytest.mark.parametrize("text", ["C:data", "C:", "s3:/bucket/x", "file:x", "file:C:\\x"])
def test_what_is_neither_a_path_nor_a_url_is_refused(text):
    with pytest.raises(zc.StoreError, match=r"begins with .*; accepted: .*'file:///C:/path', 'C:\\path'"):
        StoreURL.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C:\\data\\nul", "reserved for a device"),
        ("data/COM1.txt/x", "reserved for a device"),
        ("C:\\a:stream", "':' is not allowed"),
        ("C:\\what?", "'?' is not allowed"),
        ("data:2024", "':' is not allowed"),
        ("C:\\data.", "ends with a dot or a space"),
        ("file:///C:/data%20/x", "ends with a dot or a space"),
        ("file:///C:/a%7Cb", "'|' is not allowed"),
        ("\\\\.\\pipe\\x", "it is a device"),
    ],
)
def test_what_windows_would_take_for_something_else_is_refused(text, reason):
    with pytest.raises(zc.StoreError) as caught:
        StoreURL.parse(text)
    assert reason in str(caught.value)
    assert "accepted: 'C:\\path'" in str(caught.value)


@pytest.mark.parametrize("host", ["~", ".", "C:", "user:secret@server"])
def test_what_is_no_host_is_refused(host):
    with pytest.raises(zc.StoreError, match="names the host") as caught:
        StoreURL.parse(f"file://{host}/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["s3://bucket/C:/x", "memory://a\\b", "zip::C:\\x.zip"])
def test_other_stores_get_what_was_given(text):
    assert str(StoreURL.parse(text)) == text


@pytest.mark.parametrize(
    ("given", "stored", "found"),
    [
        ("..\\base", "../base", "C:\\data\\base"),
        ("../base", "../base", "C:\\data\\base"),
        ("C:\\other\\base", "file:///C:/other/base", "C:\\other\\base"),
        ("\\\\server\\share\\base", "file:////server/share/base", "\\\\server\\share\\base"),
        ("file:///C:/a%20b", "file:///C:/a b", "C:\\a b"),
    ],
)
def test_a_view_refers_to_its_base_with_slashes(given, stored, found):
    view = StoreURL.parse("C:\\data\\view")
    assert reference.stored(given) == stored
    assert reference.resolve(stored, view) == StoreURL("file", found)
