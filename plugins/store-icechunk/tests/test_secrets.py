"""Credentials given by the caller appear only in requests to the server and in pickles of the store."""

import logging
import pickle
import subprocess
import sys
import traceback

import anyio
import pytest
from zcollection_store_icechunk.store import IcechunkStore

from zcollection.plugin import StoreURL, ZCollectionError
from zcollection.testing.transactional_base import array, committed, group, values

WORD = "swordfish"
SECRETS = {"key": f"key-{WORD}", "secret": f"secret-{WORD}", "token": f"token-{WORD}"}


def options(server):
    return {**server.storage_options, **SECRETS}


def opened(url, mode="rw", **given):
    return anyio.run(lambda: IcechunkStore.open(StoreURL.parse(url), mode=mode, **given))


def test_output_logs_and_files_contain_no_credentials(moto_server, caplog, tmp_path):
    moto_server.create_bucket("bucket")
    url = "icechunk+s3://bucket/secrets"
    with caplog.at_level(logging.DEBUG):
        store = opened(url, **options(moto_server))
        snapshot = anyio.run(committed, store, {**group(), **array("a", 1)})
        session = anyio.run(store.begin)
        seen = [store, store.url, store._place, store._opened, session, session.fork(), session.zarr]
        assert anyio.run(values, store, snapshot, ["a"]) == [1]
        seen.extend(anyio.run(store.history, snapshot))
    for item in seen:
        assert WORD not in f"{item!r} {item} {item!s}"
    assert WORD not in caplog.text
    assert store.cross_process


def test_errors_and_their_causes_contain_no_credentials(moto_server):
    moto_server.create_bucket("bucket")
    given = options(moto_server)
    failures = []

    def attempt(url, use, **options):
        with pytest.raises(ZCollectionError) as caught:
            use(opened(url, **options))
        failures.append(caught.value)

    attempt("icechunk+s3://no-such-bucket/x", lambda store: anyio.run(committed, store, group()), **given)
    attempt("icechunk+s3://bucket/missing", lambda store: anyio.run(store.begin), **given)
    attempt("icechunk+s3://bucket/x", lambda store: None, **given | {"tokens": f"t-{WORD}"})
    attempt("icechunk+s3://bucket/x", lambda store: None, **given | {"secret": [WORD]})
    attempt("icechunk+s3://bucket/x", lambda store: None, **given | {"secret_access_key": WORD})
    attempt("icechunk+s3://bucket/x?branch=a", lambda store: None, branch="b", **given)
    attempt("icechunk+az://container/x", lambda store: None, access_key=WORD)
    attempt("icechunk+gs://bucket/x", lambda store: None, service_account_key=WORD, key=WORD)
    for failure in failures:
        assert WORD not in "".join(traceback.format_exception(failure)), failure


def test_the_error_of_a_rejected_request_contains_no_credentials(rejecting_port):
    given = {"endpoint": f"http://reader:{WORD}@127.0.0.1:{rejecting_port}", "region": "x", **SECRETS}
    with pytest.raises(ZCollectionError) as caught:
        anyio.run(opened("icechunk+s3://bucket/x", **given).current)
    assert WORD not in "".join(traceback.format_exception(caught.value))


def test_a_pickle_contains_only_the_options_of_the_caller(moto_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"env-{WORD}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"env-{WORD}")
    passed = {name: value for name, value in moto_server.storage_options.items() if name not in {"key", "secret"}}
    moto_server.create_bucket("bucket")
    store = opened("icechunk+s3://bucket/environment", **passed)
    anyio.run(committed, store, {**group(), **array("a", 1)})
    assert WORD.encode() not in pickle.dumps(store)


def test_the_debug_log_of_the_process_contains_no_credentials(moto_server, tmp_path):
    moto_server.create_bucket("bucket")
    code = f"""
import logging, anyio
logging.basicConfig(level=logging.DEBUG)
from zcollection_store_icechunk.store import IcechunkStore
from zcollection.plugin import StoreURL
from zcollection.testing.transactional_base import committed, group
async def main():
    store = await IcechunkStore.open(StoreURL.parse("icechunk+s3://bucket/loud"), mode="rw", **{options(moto_server)!r})
    print("committed", await committed(store, group()), flush=True)
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"HOME": str(tmp_path)})
    # Not the exit code: threads of the library that outlive the interpreter now and then abort the process at its end.
    assert done.stdout.startswith("committed "), done.stderr
    assert "Using selector" in done.stderr
    assert WORD not in done.stdout + done.stderr
