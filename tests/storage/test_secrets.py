"""What a caller passes as a credential is sent to the server, and lies in pickles of the store: it appears nowhere else."""

import logging
import os
import pickle
import subprocess
import sys
import traceback
import warnings

import anyio
import clusters
import numcodecs
import obstore
import pytest
import samples
from attrs import frozen
from changes import doubled
from clocks import Clock
from fault_proxy import Fault

import zcollection as zc
from zcollection.collection.stores import open_store
from zcollection.transaction.log import leases

WORD = "swordfish"
SECRETS = {name: f"{name}-{WORD}" for name in ("key", "secret", "token")}
KINDS = {
    "obstore": ("s3", {"driver": "obstore"}),
    "fsspec": ("s3", {"driver": "fsspec"}),
    "icechunk": ("icechunk+s3", {}),
}
ZSTD = b"\x28\xb5\x2f\xfd"


@frozen
class Place:
    """Where a test has its collections, and the options under which it reaches them."""

    url: str
    options: dict

    def create(self, times=(1, 2, 12), **others):
        return samples.create(self.url, list(times), storage_options=self.options, **others)

    def open(self, mode="r"):
        return zc.open_collection(self.url, mode=mode, storage_options=self.options)


@pytest.fixture(autouse=True)
def _no_credentials_of_whoever_runs_the_tests(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=KINDS)
def place(proxy, request):
    scheme, options = KINDS[request.param]
    return Place(f"{scheme}://bucket/{request.node.name}", proxy.storage_options | options | SECRETS)


def assert_none(*texts):
    for text in texts:
        assert WORD not in str(text)
        assert WORD not in repr(text)


def life(place):
    """Let a collection live, and yield all that its caller sees."""
    collection = place.create()
    yield collection
    yield collection.store
    yield collection.insert(samples.rows([3, 13, 41]), merge="append")
    yield collection.update(doubled, filters="quotient < 2")
    yield collection.drop_partitions(filters="quotient == 4")
    yield from collection.history()
    yield place.open().query()
    lazy = place.open().query(lazy=True)
    yield lazy
    yield from lazy.all_variables().values()
    yield collection.map(len_of_value)
    yield collection.verify(data=True)
    yield collection.vacuum(older_than="0s")
    yield collection.repair()
    yield collection.copy(f"{place.url}-copy", storage_options=place.options)
    view = zc.create_view(
        f"{place.url}-view",
        base=collection,
        variables=[zc.VariableSchema("quality", dtype="int8", dimensions=("row",), fill_value=-1)],
        storage_options=place.options,
    )
    yield view
    yield view.query()


def len_of_value(dataset):
    return len(dataset["value"])


def test_what_is_printed_logged_and_written_holds_none(place, ministack_server, caplog, capfd, request):
    with caplog.at_level(logging.DEBUG):
        seen = list(life(place))
    assert_none(*seen, caplog.text, *capfd.readouterr())
    written = dict(objects(ministack_server, request.node.name))
    assert len(written) > 20
    assert_none(*written)
    assert not [key for key, data in written.items() if WORD.encode() in data]


def objects(server, prefix):
    """Yield every object below a prefix, with what is compressed in it."""
    given = server.storage_options
    store = obstore.store.S3Store(
        "bucket",
        endpoint=given["endpoint"],
        region=given["region"],
        access_key_id="anybody",
        secret_access_key="anything",
        client_options={"allow_http": True},
    )
    for key in [entry["path"] for page in store.list() for entry in page if entry["path"].startswith(prefix)]:
        data = bytes(store.get(key).bytes())
        start = data.find(ZSTD)
        yield key, data if start < 0 else data[:start] + bytes(numcodecs.Zstd().decode(data[start:]))


@pytest.mark.parametrize("kind", ["PUT", "CREATE", "COPY", "LIST", "GET", "DELETE"])
def test_what_a_server_refuses_is_told_of_without_it(place, kind, proxy, caplog, monkeypatch):
    monkeypatch.setattr(leases, "CLOCK", Clock())
    place.create()
    failures = []
    with proxy.failing(Fault("403", kind, times=None)) as (fault,), caplog.at_level(logging.DEBUG):
        for use in (
            lambda: place.open("rw").insert(samples.rows([3, 13, 41]), merge="append"),
            lambda: place.open("rw").update(doubled),
            lambda: place.open("rw").vacuum(older_than="0s"),
            lambda: place.open().query(),
        ):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                try:
                    use()
                except zc.errors.ZCollectionError as error:
                    failures.append(error)
            failures += [warning.message for warning in warned]
    assert failures or kind == "DELETE" or not fault.met.is_set()  # Icechunk does not mind what it cannot delete
    for failure in failures:
        assert_none("".join(traceback.format_exception(failure)))
    assert_none(caplog.text)


BEHIND = f"http://reader:{WORD}@127.0.0.1:1"
URLS = {"endpoint": BEHIND, "client_options": {"proxy_url": BEHIND}}


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
@pytest.mark.parametrize("option", URLS)
def test_errors_do_not_tell_the_password_in_a_url(driver, option, proxy, caplog):
    options = proxy.storage_options | {"driver": driver, "max_retries": 0, option: URLS[option]}
    with caplog.at_level(logging.DEBUG), pytest.raises(zc.StoreError) as caught:
        samples.create("s3://bucket/behind", storage_options=options)
    assert_none("".join(traceback.format_exception(caught.value)), caplog.text)


UNREACHED = [
    ("s3://bucket/x", {"endpoint": BEHIND}),
    ("s3://bucket/x", {"client_options": {"proxy_url": BEHIND}}),
    ("icechunk+s3://bucket/x", {"endpoint": BEHIND}),
    *[("icechunk+gs://bucket/x", {option: WORD}) for option in ("service_account_key", "bearer_token")],
    *[
        ("icechunk+az://container/x", {"account": "somebody", option: WORD})
        for option in ("access_key", "sas_token", "bearer_token")
    ],
]


@pytest.mark.parametrize("unreached", UNREACHED)
def test_a_store_that_was_not_reached_shows_none(unreached):
    url, options = unreached
    store = anyio.run(lambda: open_store(url, mode="r", storage_options=options))
    assert_none(store, store.url, pickle.loads(pickle.dumps(store)))


def test_pickles_hold_what_was_passed_and_nothing_of_the_environment(place, monkeypatch):
    assert WORD.encode() in pickle.dumps(place.create()), "workers need it"
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", f"{name}-{WORD}")
    passed = {name: value for name, value in place.options.items() if name not in SECRETS}
    collection = zc.open_collection(place.url, mode="rw", storage_options=passed)
    samples.assert_rows(collection.query(), [1, 2, 12])
    for item in (collection, collection.store, collection.query(lazy=True)):
        assert WORD.encode() not in pickle.dumps(item)


def test_a_cluster_names_no_task_after_it(place):
    with clusters.threads() as client, zc.config.using(client=client):
        collection = place.create()
        collection.insert(samples.rows([3, 13, 41]), merge="append")
        collection.update(doubled)
        dataset = collection.query(chunks={})
        arrays = {path: item.data for path, item in dataset.all_variables().items()}
        scheduler = client.cluster.scheduler
        names = [*scheduler.tasks, *(entry[0] for entry in scheduler.transition_log)]
        logs = [*client.get_worker_logs().values(), client.get_scheduler_logs(), client.get_events()]
        with pytest.raises(Exception, match="deliberately") as caught:
            collection.update(fail)
    assert names
    assert_none(names, logs, "".join(traceback.format_exception(caught.value)))
    for array in arrays.values():
        assert_none(array, getattr(array, "name", ""), list(getattr(array, "dask", ())))


def fail(dataset):
    message = "deliberately"
    raise RuntimeError(message)


LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
import zcollection as zc
collection = zc.open_collection({url!r}, mode="rw", storage_options={options!r})
collection.update(lambda dataset: {{"value": dataset["value"].to_numpy() + 1}})
print("updated", collection.query()["value"].to_numpy().tolist(), flush=True)
"""


def test_the_loudest_log_of_a_process_holds_none(place, tmp_path):
    place.create()
    code = LOUD.format(url=place.url, options=place.options)
    environment = {"HOME": str(tmp_path), "RUST_LOG": "trace", "PYTHONPATH": os.pathsep.join(sys.path)}
    plugin = "from zcollection.registry.registry import REGISTRY; import fakes; REGISTRY.register(fakes)\n"
    done = subprocess.run([sys.executable, "-c", plugin + code], capture_output=True, text=True, env=environment)
    # Not the exit code: threads of the libraries that outlive the interpreter now and then abort the process at its end.
    assert done.stdout.startswith("updated [2.25, 3.25, 13.25]"), done.stderr
    assert "DEBUG" in done.stderr
    assert_none(done.stdout, done.stderr)


@pytest.mark.parametrize("exists", [True, False])
def test_the_command_line_shows_none(place, exists):
    if exists:
        place.create()
    given = [part for name, value in place.options.items() for part in ("--storage-option", f"{name}={value}")]
    code = "from zcollection.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--debug", "info", place.url, *given], capture_output=True, text=True
    )
    assert (done.returncode == 0) == exists, done.stdout + done.stderr
    assert_none(done.stdout, done.stderr)
