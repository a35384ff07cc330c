"""The URL of a collection: paths by RFC 8089, all else as it is given, and what is printed leads back to the same place."""

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import StoreURL

# Names as the system has them: bytes without NUL and "/", also such as are no UTF-8.
NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & set(b"\0/")).map(os.fsdecode)
PATHS = st.lists(NAMES, max_size=4).map(lambda names: "/" + "/".join(names)).map(os.path.normpath)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "scheme", "location", "query"),
    [
        ("S3://bucket/x?region=eu&anonymous", "s3", "bucket/x", {"region": "eu", "anonymous": ""}),
        ("icechunk+s3://bucket/x", "icechunk+s3", "bucket/x", {}),
        ("memory://a[b]", "memory", "a[b]", {}),
        ("memory://~/a%20b", "memory", "~/a%20b", {}),
        ("file:///data/x?fsync=1", "file", "/data/x", {"fsync": "1"}),
    ],
)
def test_a_url_is_taken_apart(text, scheme, location, query):
    url = StoreURL.parse(text)
    assert (url.scheme, url.location, url.query) == (scheme, location, query)
    assert StoreURL.parse(str(url)) == url
    assert StoreURL.parse(url) is url
    assert pickle.loads(pickle.dumps(url)) == url
    assert hash(url) == hash(StoreURL.parse(text))


@pytest.mark.parametrize(
    ("text", "scheme", "location", "query"),
    [
        ("zip::/data/x.zip", "zip", "::/data/x.zip", {}),
        ("ZIP::x.zip", "zip", "::x.zip", {}),
        ("zip::/data/what?.zip", "zip", "::/data/what?.zip", {}),
        ("zip://folder::x.zip", "zip", "folder::x.zip", {}),
        ("zip::", "zip", "::", {}),
        ("simplecache::s3://bucket/x?a=b", "simplecache", "::s3://bucket/x", {"a": "b"}),
        ("zip::simplecache::s3://bucket/x.zip", "zip", "::simplecache::s3://bucket/x.zip", {}),
        ("fsspec+github::x", "fsspec+github", "::x", {}),
    ],
)
def test_a_chain_is_its_first_link_and_the_others(text, scheme, location, query):
    url = StoreURL.parse(text)
    assert (url.scheme, url.location, url.query) == (scheme, location, query)
    assert StoreURL.parse(str(url)) == url
    assert str(url).lower() == text.lower()


def test_a_directory_that_is_called_as_a_chain_begins_is_a_path_with_a_dot(tmp_path):
    assert StoreURL.parse("./zip::x") == StoreURL("file", f"{tmp_path}/zip::x")
    assert StoreURL.parse(Path("zip::x")) == StoreURL("file", f"{tmp_path}/zip::x")
    with pytest.raises(zc.PluginError, match=r"no::x cannot be opened: .*a directory of this name, write './no::x'"):
        zc.open_collection("no::x")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/data/x", "/data/x"),
        ("/data/x/", "/data/x"),
        ("/data/with%20space#1?", "/data/with%20space#1?"),
        ("/data/~", "/data/~"),
        ("/a://b", "/a:/b"),
        ("~", "/home/somebody"),
        ("~/a", "/home/somebody/a"),
        ("data/x?y", "{here}/data/x?y"),
        ("./~/a", "{here}/~/a"),
        ("data:2024", "{here}/data:2024"),
        ("./s3:/x", "{here}/s3:/x"),
        ("file:///data/x", "/data/x"),
        ("FILE:///data/x/", "/data/x"),
        ("file:/data/x", "/data/x"),
        ("file:/data/a%20b", "/data/a b"),
        ("file://localhost/data/x", "/data/x"),
        ("file://LocalHost/data/x", "/data/x"),
        ("file:///data/with%20space", "/data/with space"),
        ("file:///data/with space", "/data/with space"),
        ("file:///data/%C3%A9%25%3F%23", "/data/é%?#"),
        ("file:///data/é#1", "/data/é#1"),
        ("file:///data/100%", "/data/100%"),
        ("file:///~/x", "/~/x"),
        ("file:////x", "//x"),
        ("file:///", "/"),
    ],
)
def test_a_path_is_taken_literally_and_a_file_url_decoded(text, path, tmp_path):
    path = path.format(here=tmp_path)
    assert StoreURL.parse(text) == StoreURL("file", path)
    assert StoreURL.parse(Path(path)) == StoreURL("file", path)


@given(PATHS)
@example("/with space/%20/%/#/?/é/\n/~/a:")
def test_any_path_leads_back_from_its_url(path):
    url = StoreURL.parse(path)
    assert url == StoreURL.parse(Path(path))
    assert str(url) == Path(path).as_uri()
    assert os.fsencode(StoreURL.parse(str(url)).location) == os.fsencode(path)
    assert f"{url}" == str(url), "it has nothing that a message would escape"


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_parameters_lead_back_as_well(query):
    url = StoreURL("icechunk", "/data/x", query)
    assert StoreURL.parse(str(url)) == url


@pytest.mark.parametrize("text", ["", "://x", "s3://", "s 3://x", "s3://?a=b", "file://"])
def test_what_is_no_url_is_refused(text):
    with pytest.raises(zc.StoreError, match="accepted: 'scheme://location'"):
        StoreURL.parse(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("file://server/x", "server"),
        ("file://./x", r"\."),
        ("file://~/x", "~"),
        ("file://C:/x", "C:"),
        ("file://x", "x"),
    ],
)
def test_a_file_of_another_host_is_refused(text, host):
    with pytest.raises(zc.StoreError, match=rf"the host '{host}'; accepted: 'file:///path' or 'file://localhost/path'"):
        StoreURL.parse(text)


@pytest.mark.parametrize("text", ["file:x", "File:x/y", "s3:/bucket/x", "C:\\data", "c:/data", "\\\\server\\share"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_relative_path_that_looks_like_something_else_is_refused(text, kind):
    with pytest.raises(
        zc.StoreError, match="begins with .*, as a URL or a path of Windows; accepted: 'scheme://location'"
    ):
        StoreURL.parse(kind(text))


@pytest.mark.parametrize("text", ["/da\0ta", "/da\ud800ta", "file:///da%00ta"])
def test_what_no_directory_can_be_called_is_refused(text):
    with pytest.raises(zc.StoreError, match="NUL character or one that cannot be encoded"):
        StoreURL.parse(text)


def test_the_home_directory_of_nobody_is_refused():
    with pytest.raises(zc.StoreError, match=r"'~no-such-user/x'.*accepted: '~/path', or './~name'"):
        StoreURL.parse("~no-such-user/x")


@pytest.mark.parametrize(
    "text",
    [
        "s3://key:secret@host/b",
        "s3://key:sec@ret@host/b?token=secret",
        "s3://secret@host",
        "zip::s3://k:sec::ret@host/x",
        "zip://a::s3://k:secret@host/x",
    ],
)
def test_no_credential_is_shown(text):
    shown = f"{StoreURL.parse(text)} {StoreURL.parse(text)!r}"
    assert "sec" not in shown
    assert "***@host" in shown


@pytest.mark.parametrize("text", ["://user:secret@host/x", "file://user:secret@host/x", "s3:/user:secret@host/x"])
def test_no_credential_is_shown_of_what_is_no_url(text):
    with pytest.raises(zc.StoreError) as caught:
        StoreURL.parse(text)
    assert "secret" not in str(caught.value)


def test_a_message_escapes_what_is_no_text_in_a_url_and_the_url_itself_is_exact():
    url = StoreURL.parse("memory://two\nlines\x1b[31m")
    assert str(url) == "memory://two\nlines\x1b[31m"
    assert f"{url}" == "memory://two\\nlines\\x1b[31m"
