"""Invalid and hostile chains and archives: an error with the next step, and never wrong data."""

import io
import re
import tarfile
import traceback
import zipfile

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zcollection_store_fsspec.archive import ArchiveStore
from zcollection_store_fsspec.object_cache import CACHED_PROTOCOLS

import zcollection as zc
from zcollection.plugin import (
    LocationError,
    MissingDependencyError,
    PluginConfigurationError,
    Read,
    StoreError,
    StoreURL,
)

SECRET = "swordfish"
OBJECTS = {"_zcollection.json": b"{}", "a/zarr.json": b'{"a": 1}', "a/c/0": bytes(range(256)) * 40}


def read(url, *keys, **options):
    async def main():
        store = await ArchiveStore.open(StoreURL.parse(url), mode="r", **options)
        return await store.get([Read(key) for key in keys or OBJECTS])

    return anyio.run(main)


@pytest.mark.parametrize("scheme", ["zip", "tar"])
def test_a_missing_archive_is_reported(scheme, tmp_path):
    for path in (tmp_path / "missing", tmp_path / "missing" / "x", tmp_path):
        with pytest.raises(
            StoreError, match=f"cannot read .* in {scheme}::/.*: there is no such archive; check its path"
        ):
            zc.open_collection(f"{scheme}::{path}")


@pytest.mark.parametrize("data", [b"", b"{}", b"PK\3\4" + bytes(100), bytes(5000), b"\x1f\x8b" + bytes(600)], ids=repr)
@pytest.mark.parametrize("scheme", ["zip", "tar"])
def test_a_file_that_is_not_an_archive_is_reported(scheme, data, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(data)
    if scheme == "tar" and not any(data):  # zeros end an archive, so this is a valid empty one
        with pytest.raises(zc.ZCollectionError, match=r"there is no collection|is not a tar archive"):
            zc.open_collection(f"tar::{path}")
        return
    with pytest.raises(StoreError, match=rf"the file is not a {scheme} archive, or is damaged; check|is compressed"):
        zc.open_collection(f"{scheme}::{path}")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_archive_is_reported(mode, tmp_path):
    with tarfile.open(tmp_path / "x.tar", mode) as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    with pytest.raises(
        StoreError, match=r"is compressed, .*; create it again without compression, or as a zip archive"
    ):
        zc.open_collection(f"tar::{tmp_path}/x.tar")


def test_an_archive_without_a_collection_is_reported(tmp_path, archives):
    archives.zipped(tmp_path / "x.zip", {"altimetry/readme": b"1"})
    for url in (f"zip::{tmp_path}/x.zip", f"zip://altimetry::{tmp_path}/x.zip", f"zip://nothing::{tmp_path}/x.zip"):
        with pytest.raises(zc.CollectionNotFoundError, match=rf"there is no collection at {re.escape(url)}"):
            zc.open_collection(url)


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("zip::nosuch://x/y.zip", LocationError, r"has the link 'nosuch', which fsspec does not know; accepted: "),
        ("simplecache::nosuch://x", LocationError, r"has the link 'nosuch'"),
        ("fsspec+nosuch://x", LocationError, r"has the link 'nosuch'"),
        ("nosuch::s3://x", zc.PluginError, r"nosuch::s3://x cannot be opened: .*write './nosuch::s3://x'"),
        ("fsspec://x", LocationError, r"names no protocol; accepted: 'fsspec\+protocol://path'"),
        ("zip:///data/x.zip", LocationError, r"names no archive; accepted: 'zip::/path/x.zip', 'zip://folder::"),
        ("zip::", LocationError, r"names no archive"),
        ("zip://../a::/x.zip", StoreError, r"'\.\.'"),
        ("zip://a?b=c::/x.zip", LocationError, r"has parameters: b; pass them in storage_options"),
        ("zip::https://h/x.zip?token=swordfish", LocationError, r"has parameters: token; pass them in storage_options"),
        ("blockcache::s3://bucket/x", LocationError, r"caches by 'blockcache': .* return outdated chunks"),
        ("fsspec+dir::simplecache::s3://b/x", LocationError, r"caches by 'simplecache': after"),
        ("simplecache::ftp://h/x", LocationError, r"caches by 'simplecache', without a server that reports changes"),
        (
            "filecache::https://h/x",
            LocationError,
            r"caches by 'filecache', .*; accepted: 'filecache::protocol://bucket",
        ),
        ("simplecache::zip::s3://b/x.zip", LocationError, r"or 'zip::simplecache::…', a copy of a whole archive"),
        ("simplecache://a::s3://b", LocationError, r"caches by 'simplecache'"),
        (
            "fsspec+zip::/x.zip",
            LocationError,
            r"reads an archive, by 'zip'; accepted: 'zip::…' and 'tar::…', as the first",
        ),
        ("fsspec+https://h/x", LocationError, r"reads a web server, by 'https'; accepted: the URL alone"),
        ("tar::blockcache::s3://b/x.tar", LocationError, r"reads a tar archive by 'blockcache', which does not detect"),
        ("tar::zip://x.tar::/y.zip", LocationError, r"reads a tar archive by 'zip', which does not detect"),
    ],
)
def test_an_unsupported_chain_is_rejected(url, error, words):
    with pytest.raises(error, match=words) as caught:
        zc.open_collection(url)
    assert SECRET not in str(caught.value)


def test_a_link_whose_package_is_missing_names_it(monkeypatch):
    import fsspec

    def missing(protocol):
        raise ImportError(SECRET)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(MissingDependencyError, match=r"the link 'zip' of .* needs a package that is not installed"):
        read("zip::s3://bucket/x.zip")


def test_every_cached_protocol_is_one_of_fsspec():
    from fsspec.registry import known_implementations

    assert set(known_implementations) >= CACHED_PROTOCOLS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"s4": {}}, r"no option 's4'; accepted: .*s3.*: the links, each with its options in a mapping"),
        ({"key": SECRET}, r"no option 'key'"),
        ({"s3": SECRET}, r"'s3' of str; accepted: a mapping"),
        ({"max_retries": -1}, r"an invalid 'max_retries'; accepted: a whole number from 0 to 100"),
        ({"simplecache": {"expiry_time": 3}}, r"'expiry_time' for 'simplecache'; accepted: 'cache_storage'"),
        (
            {"simplecache": {"cache_storage": 3}},
            r"'cache_storage' for 'simplecache'; accepted: .* the path of a folder",
        ),
    ],
)
def test_an_invalid_option_is_rejected_without_its_value(options, words):
    with pytest.raises(PluginConfigurationError, match=words) as caught:
        zc.open_collection("simplecache::s3://bucket/x", storage_options=options)
    assert SECRET not in str(caught.value)


def test_no_message_and_no_repr_contains_a_credential(moto_server):
    given = {"s3": {"key": "nobody", "secret": SECRET, "endpoint_url": "http://127.0.0.1:9", "config_kwargs": {}}}
    given["s3"]["config_kwargs"] = {"retries": {"total_max_attempts": 1}}

    async def opened():
        return await ArchiveStore.open(StoreURL.parse("zip::s3://bucket/x.zip"), mode="r", max_retries=0, **given)

    store = anyio.run(opened)
    assert SECRET not in f"{store!r} {store}"
    with pytest.raises(StoreError) as caught:
        anyio.run(store.get, [Read("x")])
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_names_that_refer_outside_an_archive_are_ignored(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("../x", "/etc/x", "a/../../x", "a/./b", "./c", "d/"):
            archive.writestr(name, name)

    async def main():
        store = await ArchiveStore.open(StoreURL.parse(f"zip::{tmp_path}/x.zip"), mode="r")
        return [entry.key async for entry in store.list("", recursive=True)]

    assert anyio.run(main) == ["a/b", "c"]


def test_the_last_of_equal_names_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"new")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for data in (b"old", b"new"):
            member = tarfile.TarInfo("a")
            member.size = 3
            archive.addfile(member, io.BytesIO(data))
    for scheme in ("zip", "tar"):
        assert read(f"{scheme}::{tmp_path}/x.{scheme}", "a") == [b"new"]


def test_a_symbolic_link_in_a_zip_archive_is_an_error(tmp_path):
    link = zipfile.ZipInfo("a")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "b")
    with pytest.raises(StoreError, match=r"the archive has symbolic links instead of files; create it again"):
        read(f"zip::{tmp_path}/x.zip", "a")


def test_an_encrypted_zip_archive_is_reported(tmp_path, archives):
    path = tmp_path / "x.zip"
    archives.zipped(path, OBJECTS)
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + place] |= 1  # the flag of encryption
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"the archive is encrypted; create it again without a password"):
        read(f"zip::{path}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255), kind=st.sampled_from([0, 8]))
def test_a_changed_byte_in_a_zip_archive_is_never_returned_as_data(place, change, kind, tmp_path, archives):
    path = tmp_path / "x.zip"
    archives.zipped(path, OBJECTS, compression=kind)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= change
    path.write_bytes(data)
    for key, whole in OBJECTS.items():
        try:
            (found,) = read(f"zip::{path}", key)
        except StoreError:
            continue
        assert found in {whole, None}  # the changed byte may be in its name


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.floats(0, 1, exclude_max=True), scheme=st.sampled_from(["zip", "tar"]))
def test_a_truncated_archive_is_never_returned_as_data(length, scheme, tmp_path, archives):
    path = tmp_path / f"x.{scheme}"
    {"zip": archives.zipped, "tar": archives.tarred}[scheme](path, OBJECTS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(length * len(whole))])
    for key, data in OBJECTS.items():
        try:
            (found,) = read(f"{scheme}::{path}", key)
        except StoreError:
            continue
        assert found in {data, None}
