"""The conformance suite of stores of keys and bytes."""

import re
import traceback
from pathlib import Path
from typing import cast

import anyio
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.errors import StoreError, ZCollectionError
from zcollection.testing.store_base import SECRET
from zcollection.testing.store_machine import StoreMachine
from zcollection.testing.store_objects import ObjectChecks
from zcollection.testing.store_publishing import PublishingChecks
from zcollection.testing.store_sharing import SharingChecks

__all__ = ["SECRET", "KeyStoreSuite", "StoreMachine"]

_GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {"title": "tides"}}'
_ARRAY = b"""{
    "zarr_format": 3, "node_type": "array", "shape": [5], "data_type": "int16", "fill_value": 0, "attributes": {},
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]
}"""
_VALUES = np.array([3, 1, 4, 1, 5, 0], dtype="<i2")


class KeyStoreSuite(ObjectChecks, PublishingChecks, SharingChecks):
    """Conformance of a store of keys and bytes; subclass it, and set `store_class` and `url`.

    Optional properties (`cross_process`, a `lock`, `blocking` access) are checked if the class declares them; otherwise their
    checks are skipped.

    Attributes
    ----------
    store_class
        Class of the store.
    storage_options
        Options for opening the store.
    sequences
        Number of sequences of operations to try; set a smaller one for a slow store.
    patience
        Time limit, in seconds, for operations that must not block.

    Examples
    --------
    ::

        class TestFileStore(KeyStoreSuite):
            store_class = FileStore

            def url(self, folder):
                return f"file://{folder}"
    """

    def test_any_sequence_of_operations_agrees_with_a_dictionary(self, tmp_path: Path) -> None:
        """Writes, copies, deletions and publications in any order have the same results as in a dictionary."""
        folders = (tmp_path / str(number) for number in range(10**9))
        with anyio.from_thread.start_blocking_portal() as portal:

            def machine() -> StoreMachine:
                return StoreMachine(portal, portal.call(self._open, self.url(next(folders))))

            run_state_machine_as_test(
                cast("type[StoreMachine]", machine),  # any function that returns a machine is accepted
                settings=settings(max_examples=self.sequences, stateful_step_count=25, deadline=None),
            )

    def test_zarr_reads_the_store(self, tmp_path: Path) -> None:
        """zarr-python reads groups and arrays through the attribute `zarr`, which is read-only."""

        async def write(store: KeyStore) -> KeyStore:
            chunks = {"g/a/c/0": _VALUES[:3].tobytes(), "g/a/c/1": _VALUES[3:].tobytes()}
            await store.put({"zarr.json": _GROUP, "g/zarr.json": _GROUP, "g/a/zarr.json": _ARRAY, **chunks})
            return store

        import zarr

        store = self._with_store(write, tmp_path)
        group = zarr.open_group(store.zarr, mode="r")
        assert group.attrs["title"] == "tides"
        assert sorted(group.group_keys()) == ["g"]
        assert sorted(zarr.open_group(store.zarr, path="g", mode="r").array_keys()) == ["a"]
        np.testing.assert_array_equal(zarr.open_array(store.zarr, path="g/a", mode="r")[:], _VALUES[:5])
        assert store.zarr.read_only
        assert not store.zarr.supports_writes

    def test_errors_show_the_url_and_no_credential(self, tmp_path: Path) -> None:
        """No error, repr or string of the store contains the password in a URL; errors contain the URL without it."""
        failures: list[ZCollectionError] = []

        async def provoke() -> None:
            for mode in ("r", "rw"):
                try:
                    store = await self._open(url, mode)
                except ZCollectionError as error:
                    failures.append(error)
                    continue
                assert SECRET not in f"{store!r} {store} {store.url!r} {store.url}"
                for attempt in (store.get([Read("../x")]), store.delete(["../x"])):
                    with pytest.raises(StoreError, match=re.escape(store.url.scheme)) as caught:
                        await attempt
                    failures.append(caught.value)

        url = self.url_with_credentials(tmp_path)
        assert SECRET in url
        anyio.run(provoke)
        for failure in failures:
            assert "://" in str(failure), f"no URL in: {failure}"
            assert SECRET not in "".join(traceback.format_exception(failure)), "an error contains the password"
