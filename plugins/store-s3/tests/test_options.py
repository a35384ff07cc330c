"""Options: which ones are accepted, what is shown of them, and what is sent to the server."""

import gc
import logging
import pickle
import weakref
from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest
from zcollection_store_object.sharing import shared
from zcollection_store_s3.options import Options
from zcollection_store_s3.store import S3Store

from zcollection.plugin import PluginConfigurationError, StoreError, StoreURL

SECRET = "swordfish"
URL = StoreURL.parse("s3://bucket/prefix")
DRIVERS = ("obstore", "fsspec")


def opened(url="s3://bucket/prefix", **options):
    return anyio.run(lambda: S3Store.open(StoreURL.parse(url), mode="rw", **options))


@pytest.mark.parametrize(
    ("names", "option"),
    [
        (("region", "region_name", "aws_region"), "region"),
        (("key", "access_key_id", "aws_access_key_id"), "key"),
        (("secret", "secret_access_key", "aws_secret_access_key"), "secret"),
        (("token", "session_token", "aws_session_token"), "token"),
        (("profile", "profile_name"), "profile"),
    ],
)
def test_an_option_has_the_aliases_of_other_libraries(names, option):
    pair = {"key": "k", "secret": "s"}
    for name in names:
        rest = {} if option not in pair else {other: value for other, value in pair.items() if other != option}
        assert getattr(Options.of(URL, {name: "value", **rest}), option) == "value"


def test_endpoints_and_flags_have_aliases():
    assert Options.of(URL, {"endpoint_url": "http://h"}) == Options.of(URL, {"endpoint": "http://h"})
    assert Options.of(URL, {"skip_signature": True}) == Options.of(URL, {"anon": True})
    assert Options.of(URL, {"requester_pays": True}).request_payer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regoin": "x"}, r"no option 'regoin'.*did you mean 'region'"),
        ({"key": "k", "aws_access_key_id": "k", "secret": "s"}, "'key' twice, as 'aws_access_key_id'"),
        ({"secret": SECRET}, "give both, or none"),
        ({"driver": SECRET}, "'driver' of str; accepted: 'obstore', 'fsspec'"),
        ({"endpoint": f"ftp://{SECRET}"}, "'endpoint' of str; accepted: a URL of http"),
        ({"token": [SECRET]}, "'token' of list; accepted: text"),
        ({"anon": 1}, "'anon' of int; accepted: True, False"),
        ({"max_retries": -1}, "a whole number from 0 to 100"),
        ({"max_retries": "many"}, "a whole number from 0 to 100"),
        ({"client_options": 3}, "'client_options' of int"),
        ({"client_options": {"timeuot": 3}}, r"no client option 'timeuot'.*did you mean 'timeout'"),
        ({"client_options": {"timeout": "soon"}}, "accepted: seconds, a timedelta, '30s' or '500ms'"),
        ({"client_options": {"allow_http": SECRET}}, "'allow_http' of str; accepted: True, False"),
        ({"client_options": {"proxy_url": 3}}, "'proxy_url' of int; accepted: text"),
    ],
)
def test_an_invalid_option_is_rejected_by_name_and_its_value_is_not_shown(options, message):
    with pytest.raises(PluginConfigurationError, match=message) as caught:
        opened(**options)
    assert "s3://bucket/prefix" in str(caught.value)
    assert SECRET not in str(caught.value)


CONTROL_CHARACTERS = ["\n", "\r", "\0", "\x1b[31m", "\x7f", "\x85", "\ud800", "\u0378", "\u202e", "\u2028"]
"""Line ends and other control characters, a lone surrogate, an unassigned character, and a direction override."""


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("strange", CONTROL_CHARACTERS, ids=ascii)
def test_an_option_that_no_request_can_contain_is_rejected_before_a_request(strange, driver):
    text = f"{SECRET}{strange}"
    for options in (
        {"key": text, "secret": "s"},
        {"key": "k", "secret": text},
        {"key": "k", "secret": "s", "token": text},
        {"region": text},
        {"endpoint": f"http://{text}"},
        {"client_options": {"proxy_url": f"http://{text}"}},
        {"client_options": {"user_agent": text}},
    ):
        with pytest.raises(PluginConfigurationError, match="accepted: ") as caught:
            opened(driver=driver, **options)
        assert SECRET not in str(caught.value)
        assert strange not in str(caught.value)


@pytest.mark.parametrize("strange", CONTROL_CHARACTERS, ids=ascii)
def test_control_characters_in_a_bucket_a_prefix_and_a_key_are_rejected(strange):
    for url in (f"s3://buck{strange}et/prefix", f"s3://bucket/pre{strange}fix"):
        with pytest.raises(StoreError, match="accepted: ") as caught:
            opened(url)
        assert strange not in str(caught.value)
    with pytest.raises(StoreError, match="refused by s3://bucket/prefix: it has a control character") as caught:
        anyio.run(opened().put, {f"a/{strange}": b"1"})
    assert strange not in str(caught.value)


@pytest.mark.parametrize("strange", ["\n", "\r", "\x1b[31m", "\u202e"], ids=ascii)
@pytest.mark.parametrize("driver", DRIVERS)
def test_control_characters_in_the_environment_and_in_names_of_profiles_are_rejected(
    strange, driver, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}{strange}")
    with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY in the environment") as caught:
        anyio.run(opened(driver=driver).put, {"x": b"1"})
    assert SECRET not in str(caught.value)
    with pytest.raises(PluginConfigurationError, match="'profile' of str"):
        opened(profile="two\nlines")


def test_control_characters_in_a_profile_are_rejected(tmp_path, monkeypatch):
    (tmp_path / "credentials").write_text(f"[here]\naws_access_key_id = k\naws_secret_access_key = {SECRET}\x1b[31m\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with pytest.raises(StoreError, match="profile 'here' has a value") as caught:
        anyio.run(opened(profile="here").put, {"x": b"1"})
    assert SECRET not in str(caught.value)


def test_every_use_of_an_invalid_client_is_an_error():
    store = opened(driver="fsspec", profile="missing")

    async def twice():
        for _ in range(2):
            with pytest.raises(StoreError, match="ProfileNotFound"):
                await store.put({"x": b"1"})

    anyio.run(twice)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("30s", 30.0), ("1.5 s", 1.5), ("500ms", 0.5), ("2m", 120.0), (3, 3.0), (timedelta(seconds=4), 4.0)],
)
def test_a_duration_has_several_accepted_forms(given, seconds):
    assert Options.of(URL, {"client_options": {"timeout": given}}).seconds("timeout") == seconds


@pytest.mark.parametrize(
    "url", [f"s3://key:{SECRET}@bucket/prefix", "s3://bucket/prefix?region=x", "s3://bucket/../x", "s3:///x"]
)
def test_an_invalid_url_is_rejected(url):
    with pytest.raises(StoreError) as caught:
        opened(url)
    assert SECRET not in str(caught.value)


def test_no_repr_contains_a_credential():
    options = {
        "key": f"{SECRET}-key",
        "secret": SECRET,
        "token": SECRET,
        "client_options": {"proxy_url": f"http://u:{SECRET}@p"},
    }
    store = opened(**options)
    assert SECRET not in f"{store!r} {store} {store.options!r} {store._driver!r}"


def test_a_pickle_contains_the_options_and_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = opened(key="k", secret="passed")
    assert b"passed" in pickle.dumps(store)
    assert SECRET.encode() not in pickle.dumps(store)
    assert SECRET.encode() not in pickle.dumps(opened())


def sent(recorder, **options):
    """Return the headers of one request."""
    store = opened(endpoint=recorder.endpoint, region="eu-west-3", **options)
    anyio.run(store.put, {"x": b"1"})
    return recorder.headers[-1]


def signer(headers):
    return headers["authorization"].partition("Credential=")[2].partition("/")[0]


@pytest.mark.parametrize("driver", DRIVERS)
def test_credentials_in_the_options_are_not_mixed_with_those_of_the_environment(driver, recorder, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "other")
    headers = sent(recorder, driver=driver, key="mine", secret=SECRET)
    assert signer(headers) == "mine"
    assert "x-amz-security-token" not in headers
    assert SECRET not in str(headers)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_token_is_sent_with_its_key(driver, recorder):
    assert sent(recorder, driver=driver, key="mine", secret="s", token="t")["x-amz-security-token"] == "t"


@pytest.mark.parametrize("driver", DRIVERS)
def test_credentials_and_endpoint_come_from_the_environment(driver, recorder, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_ENDPOINT_URL", recorder.endpoint)
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    anyio.run(opened(driver=driver).put, {"x": b"1"})
    assert signer(recorder.headers[0]) == "of-environment"
    assert "/eu-west-3/s3/" in recorder.headers[0]["authorization"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_anonymous_requests_are_not_signed(driver, recorder, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert "authorization" not in sent(recorder, driver=driver, anon=True)


def test_the_connections_of_an_unreferenced_store_are_closed_while_its_loop_runs(recorder):
    """A connection that is collected together with its client would be reported as not closed."""

    async def main():
        store = await S3Store.open(URL, mode="rw", endpoint=recorder.endpoint, driver="fsspec", key="k", secret="s")
        await store.put({"x": b"1"})
        client = weakref.ref(await store._driver._clients.get().get())
        del store
        shared(S3Store.open_driver).cache_clear()
        with anyio.fail_after(300):
            while client() is not None:
                gc.collect()
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()

    anyio.run(main)


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text("[here]\naws_access_key_id = of-profile\naws_secret_access_key = s\naws_session_token = t\n")
    config.write_text("[profile here]\nregion = eu-north-1\n[profile roles]\nrole_arn = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_profile_provides_credentials(driver, by_environment, recorder, profiles, monkeypatch):
    if by_environment:
        monkeypatch.setenv("AWS_PROFILE", "here")
    headers = sent(recorder, driver=driver, **({} if by_environment else {"profile": "here"}))
    assert signer(headers) == "of-profile"
    assert headers["x-amz-security-token"] == "t"


@pytest.mark.parametrize(("profile", "message"), [("missing", "no profile 'missing'"), ("roles", "driver='fsspec'")])
def test_a_profile_without_credentials_is_an_error(profile, message, profiles):
    with pytest.raises(StoreError, match=message):
        anyio.run(opened(profile=profile).put, {"x": b"1"})


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_error_of_a_rejected_request_does_not_contain_the_text_of_the_server(driver, recorder, caplog):
    caplog.set_level(logging.DEBUG)
    recorder.statuses.append(403)
    with pytest.raises(
        StoreError, match=r"cannot write 'x' in s3://bucket/prefix: .*403.*check the credentials"
    ) as caught:
        sent(recorder, driver=driver, key=f"{SECRET}-key", secret=SECRET, token=SECRET)
    failure = caught.value
    while failure is not None:
        assert SECRET not in f"{failure!r}"
        failure = failure.__cause__ or failure.__context__
    assert SECRET not in caplog.text
