import pickle

import pytest

import zcollection as zc
from zcollection.plugin import StoreURL


@pytest.mark.parametrize(
    ("text", "scheme", "location", "query"),
    [
        ("/data/x", "file", "/data/x", {}),
        ("data/x?y", "file", "data/x?y", {}),
        ("file:///data/x", "file", "/data/x", {}),
        ("S3://bucket/x?region=eu&anonymous", "s3", "bucket/x", {"region": "eu", "anonymous": ""}),
        ("icechunk+s3://bucket/x", "icechunk+s3", "bucket/x", {}),
        ("memory://a[b]", "memory", "a[b]", {}),
    ],
)
def test_a_url_is_taken_apart(text, scheme, location, query):
    url = StoreURL.parse(text)
    assert (url.scheme, url.location, url.query) == (scheme, location, query)
    assert str(url) == f"{scheme}://{location}"
    assert pickle.loads(pickle.dumps(url)) == url
    assert hash(url) == hash(StoreURL.parse(text))


@pytest.mark.parametrize("text", ["", "://x", "s3://", "s 3://x", "s3://?a=b"])
def test_what_is_no_url_is_refused(text):
    with pytest.raises(zc.StoreError, match="accepted: 'scheme://location'"):
        StoreURL.parse(text)


@pytest.mark.parametrize("text", ["s3://key:secret@host/b", "s3://key:sec@ret@host/b?token=secret", "s3://secret@host"])
def test_no_credential_is_shown(text):
    shown = f"{StoreURL.parse(text)} {StoreURL.parse(text)!r}"
    assert "sec" not in shown
    assert "***@host" in shown


def test_no_credential_is_shown_of_what_is_no_url():
    with pytest.raises(zc.StoreError) as caught:
        StoreURL.parse("://user:secret@host/x")
    assert "secret" not in str(caught.value)


def test_a_message_escapes_what_is_no_text_in_a_url_and_the_url_itself_is_exact():
    url = StoreURL.parse("/data/two\nlines\x1b[31m")
    assert url.location == "/data/two\nlines\x1b[31m"
    assert str(url) == "file:///data/two\nlines\x1b[31m"
    assert f"{url}" == "file:///data/two\\nlines\\x1b[31m"
