"""URLs and options, accepted and rejected."""

import shutil
import subprocess
import sys
from pathlib import Path

import anyio
import icechunk
import pytest
from zcollection_store_icechunk import repository as _quiet  # noqa: F401 - sets Icechunk's log
from zcollection_store_icechunk.store import IcechunkStore

import zcollection as zc
from zcollection.plugin import FormatVersionError, PluginConfigurationError, ReadOnlyError, StoreError, StoreURL

IS_FIRST = icechunk.__version__.startswith("1.")
ROOT = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'


def opened(url, mode="r", **options):
    return anyio.run(lambda: IcechunkStore.open(StoreURL.parse(url), mode=mode, **options))


def commit(url, **options):
    """Commit a root group with a title, and return the id of the snapshot."""

    async def write():
        store = await IcechunkStore.open(StoreURL.parse(url), mode="rw", **options)
        session = await store.begin(create=True)
        await session.save_document("_title", b"first" if len(await store.history(session.base)) == 0 else b"later")
        return await session.commit("a change", {})

    return anyio.run(write)


def title(url, **options):
    return anyio.run(opened(url, **options).load_document, "_title")


@pytest.fixture
def url(tmp_path):
    return f"icechunk://{tmp_path}/repository"


class TestLocations:
    @pytest.mark.parametrize("scheme", ["icechunk", "icechunk+file"])
    def test_a_path_is_a_local_directory(self, tmp_path, scheme):
        commit(f"{scheme}://{tmp_path}/repository")
        assert title(f"icechunk://{tmp_path}/repository") == b"first"
        assert (tmp_path / "repository" / "snapshots").is_dir()

    def test_a_relative_path_starts_at_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        commit("icechunk://here/repository")
        assert title(f"icechunk://{tmp_path}/here/repository") == b"first"

    def test_a_name_in_memory_is_one_repository(self):
        commit("icechunk+memory://one")
        assert title("icechunk+memory://one") == b"first"
        assert title("icechunk+memory://another") is None

    @pytest.mark.parametrize("url", ["icechunk+gs://bucket/prefix", "icechunk+az://container/prefix"])
    def test_other_clouds_are_opened_without_a_request(self, url):
        options = {"account": "nobody"} if "+az" in url else {}
        assert opened(url, **options).cross_process

    @pytest.mark.parametrize("url", ["icechunk+s3://bucket", "icechunk+s3://bucket/", "icechunk+gs://bucket"])
    def test_a_bucket_without_a_prefix_is_rejected(self, url):
        with pytest.raises(StoreError, match="accepted: '.*://bucket/prefix'"):
            opened(url)

    @pytest.mark.parametrize("url", ["icechunk+s3://key:word@bucket/x", "icechunk://key:word@bucket/x"])
    def test_credentials_in_a_url_are_rejected_and_not_shown(self, url):
        with pytest.raises(StoreError) as caught:
            opened(url)
        assert "word" not in str(caught.value)

    def test_an_unknown_storage_is_rejected(self):
        with pytest.raises(StoreError, match=r"'icechunk\+s4'.*did you mean 'icechunk\+s3'"):
            opened("icechunk+s4://bucket/prefix")

    def test_azure_needs_an_account(self):
        with pytest.raises(PluginConfigurationError, match="AZURE_STORAGE_ACCOUNT"):
            opened("icechunk+az://container/prefix")


class TestOptions:
    @pytest.mark.parametrize("name", ["region", "aws_region", "region_name"])
    def test_aliases_of_other_libraries_are_accepted(self, name):
        opened("icechunk+s3://bucket/prefix", **{name: "eu-west-3"})

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"regoin": "x"}, "no option 'regoin'.*did you mean 'region'"),
            ({"account": "x"}, "no option 'account'"),
            ({"region": "x", "aws_region": "y"}, "'region' twice"),
            ({"region": 1}, "'region' of .* is a int; accepted: str"),
            ({"anon": "yes"}, "'anon' of .* is a str; accepted: bool"),
            ({"key": "x"}, "give both"),
            ({"spec_version": 3}, "spec_version=3.*accepted: 1, 2"),
        ],
    )
    def test_an_unknown_option_or_one_of_another_type_is_rejected(self, options, message):
        with pytest.raises(PluginConfigurationError, match=message):
            opened("icechunk+s3://bucket/prefix", **options)

    def test_a_local_repository_has_no_options_of_object_storage(self, url):
        with pytest.raises(PluginConfigurationError, match="no option 'region'; accepted: 'branch', 'spec_version'"):
            opened(url, region="x")


class TestSelections:
    @pytest.fixture
    def first(self, url):
        first = commit(url)
        repository = icechunk.Repository.open(icechunk.local_filesystem_storage(url.partition("://")[2]))
        repository.create_tag("release", snapshot_id=first)
        repository.create_branch("draft", snapshot_id=first)
        commit(url)
        return first

    def test_the_main_branch_is_read_by_default(self, url, first):
        assert title(url) == title(f"{url}?branch=main") == b"later"

    def test_a_tag_snapshot_or_branch_is_read(self, url, first):
        for point in ("tag=release", f"snapshot={first}", "branch=draft"):
            assert title(f"{url}?{point}") == b"first"
        assert title(url, branch="draft") == b"first"

    def test_a_write_to_a_branch_does_not_change_another_one(self, url, first):
        commit(f"{url}?branch=draft")
        assert title(f"{url}?branch=draft") == b"later"
        assert len(anyio.run(opened(url).history, anyio.run(opened(url).current))) == 2

    @pytest.mark.parametrize("point", ["tag=release", "snapshot=1CECHNKREP0F1RSTCMT0"])
    def test_a_tag_or_snapshot_cannot_be_opened_for_writing(self, url, point):
        with pytest.raises(ReadOnlyError, match="mode='r', or a branch"):
            opened(f"{url}?{point}", mode="rw")

    @pytest.mark.parametrize("point", ["tag=lost", "snapshot=ZZZZZZZZZZZZZZZZZZZ0", "branch=lost"])
    def test_a_missing_tag_snapshot_or_branch_is_an_error(self, url, first, point):
        with pytest.raises(StoreError, match=r"cannot find.*icechunk://"):
            title(f"{url}?{point}")

    def test_tags_and_snapshots_are_not_interchangeable(self, url, first):
        for point in ("snapshot=release", f"tag={first}"):
            with pytest.raises(StoreError, match="cannot find"):
                title(f"{url}?{point}")

    @pytest.mark.parametrize(
        ("query", "options"),
        [("?tag=a&branch=b", {}), ("?branch=a", {"branch": "b"}), ("?tag=a", {"branch": "b"})],
    )
    def test_several_selections_are_rejected(self, url, query, options):
        with pytest.raises(StoreError, match="selects a version more than once"):
            opened(url + query, **options)

    def test_an_unknown_parameter_is_rejected(self, url):
        with pytest.raises(StoreError, match="'brunch'.*did you mean 'branch'"):
            opened(f"{url}?brunch=x")


class TestCreating:
    def test_a_new_repository_can_be_read_by_older_releases_by_default(self, url, monkeypatch):
        asked = []
        create = icechunk.Repository.create

        def record(storage, **options):
            asked.append(options)
            return create(storage, **options)

        monkeypatch.setattr(icechunk.Repository, "create", record)
        commit(url)
        commit(f"{url}-2", spec_version=2)
        expected = [{}, {}] if icechunk.__version__.startswith("1.") else [{"spec_version": 1}, {"spec_version": 2}]
        assert asked == expected

    def test_a_directory_with_other_files_is_not_changed(self, url, tmp_path):
        (tmp_path / "repository").mkdir()
        (tmp_path / "repository" / "thesis.txt").write_text("precious")
        with pytest.raises(StoreError, match="there is no Icechunk repository"):
            commit(url)
        assert [item.name for item in (tmp_path / "repository").iterdir()] == ["thesis.txt"]

    def test_an_empty_directory_becomes_a_repository(self, url, tmp_path):
        (tmp_path / "repository").mkdir()
        commit(url)
        assert [item.name for item in tmp_path.iterdir()] == ["repository"]

    def test_a_location_without_permission_to_write_is_an_error_with_its_url(self):
        with pytest.raises(StoreError, match="icechunk:///proc/nowhere"):
            commit("icechunk:///proc/nowhere/repository")


def test_a_repository_that_is_created_during_the_search_is_found(tmp_path, monkeypatch):
    directory = tmp_path / "place"
    directory.mkdir()
    find, asked = icechunk.Repository.open, []

    def appearing(storage, *arguments, **options):
        asked.append(storage)
        try:
            return find(storage, *arguments, **options)
        finally:
            if len(asked) == 1:
                commit(f"icechunk://{directory}")

    monkeypatch.setattr(icechunk.Repository, "open", appearing)
    assert title(f"icechunk://{directory}") == b"first"
    assert len(asked) > 1


def test_icechunk_prints_nothing(tmp_path):
    code = f"""
import numpy, zcollection as zc
schema = zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",)).build()
from zcollection_store_icechunk.store import IcechunkStore
import anyio
from zcollection.plugin import StoreURL
async def main():
    store = await IcechunkStore.open(StoreURL.parse("icechunk://{tmp_path}/repository"), mode="rw")
    session = await store.begin(create=True)
    await session.save_document("_title", b"first")
    await session.commit("a change", {{}})
    print(len(await store.history(await store.current())))
anyio.run(main)
"""
    environment = {"PATH": "/usr/bin"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)
    assert Path(tmp_path, "repository").is_dir()


class TestFormat2:
    """A repository created by Icechunk 2.3 with spec_version=2: only the object with the format version."""

    @pytest.fixture
    def newer(self, tmp_path):
        shutil.copytree(Path(__file__).with_name("format-2"), tmp_path / "repository")
        return f"icechunk://{tmp_path}/repository"

    @pytest.mark.skipif(not IS_FIRST, reason="Icechunk 2 reads it")
    @pytest.mark.parametrize("mode", ["r", "rw"])
    def test_needs_a_newer_icechunk(self, newer, mode):
        with pytest.raises(
            FormatVersionError, match=r"v2 format.*icechunk 1\..* is too old for it: install a newer release"
        ):
            zc.open_collection(newer, mode=mode)

    @pytest.mark.skipif(not IS_FIRST, reason="Icechunk 2 reads it")
    def test_is_not_overwritten(self, newer, tmp_path):
        with pytest.raises(FormatVersionError, match="too old"):
            commit(newer)
        assert [path.name for path in (tmp_path / "repository").rglob("*") if path.is_file()] == ["repo"]

    @pytest.mark.skipif(IS_FIRST, reason="Icechunk 1 cannot make it")
    def test_is_created_on_request(self, url, tmp_path):
        commit(url, spec_version=2)
        assert (tmp_path / "repository" / "repo").is_file()
        assert title(url) == b"first"

    def test_is_not_the_default(self, url, tmp_path):
        commit(url)
        assert not (tmp_path / "repository" / "repo").exists()
