"""A place is told by a URL, a text or a `pathlib.Path`, in the same way wherever one is asked for, and what is printed leads back."""

import json
import os
import pickle
from pathlib import Path

import anyio
import numpy as np
import pytest
import samples
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection import aio
from zcollection.plugin import VariableSchema

TIMES = [1, 12, 25]
SUM = VariableSchema("sum", dtype="float64", dimensions=("row",), fill_value=np.nan)
NAMES = ["with space", "%20", "%", "a#b", "a?b", "é", "a:b", "~"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def assert_there(collection):
    samples.assert_rows(collection.query(), TIMES)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_what_is_printed_of_a_collection_and_its_view_opens_them_again(tmp_path, name):
    base = samples.create(tmp_path / name / "base", TIMES)
    view = zc.create_view(tmp_path / name / "view", base=base, variables=[SUM])
    assert names(tmp_path / name) == ["base", "view"]
    for url in (str(base.store.url), base.store.url):
        assert_there(zc.open_collection(url))
    again = zc.open_view(str(view.store.url))
    assert_there(again.base)
    for held in (base, again.base, pickle.loads(pickle.dumps(base)), pickle.loads(pickle.dumps(again)).base):
        assert_there(held)
        assert held.store.url == base.store.url


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@examples(20)
@given(
    name=st.text(min_size=1, max_size=20).filter(lambda name: not set(name) & set("\0/") and name not in {".", ".."})
)
def test_any_name_that_a_directory_can_have(tmp_path_factory, name):
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return
    folder = tmp_path_factory.mktemp("names")
    base = samples.create(folder / name, TIMES)
    assert names(folder) == [name]
    assert_there(zc.open_collection(str(base.store.url)))


def test_a_relative_path_is_the_one_of_when_it_was_opened(tmp_path, monkeypatch):
    for prefix in ("", "icechunk://"):
        monkeypatch.chdir(tmp_path)
        base = samples.create(f"{prefix}here/{prefix[:3]}", TIMES)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert_there(zc.open_collection(str(base.store.url)))
        assert_there(pickle.loads(pickle.dumps(base)))
        base.insert(samples.rows([1]))
        assert not names(tmp_path / "elsewhere")


@pytest.mark.parametrize("kind", [str, Path])
def test_every_function_takes_a_path_and_the_home_directory(home, kind):
    base, copy, view = (kind(f"~/{name}") for name in ("a%20b", "copy", "view"))
    samples.create(base, TIMES).copy(copy)
    zc.create_view(view, base=base, variables=[SUM], reference=kind("../a%20b"))
    assert names(home) == ["a%20b", "copy", "view"]
    assert_there(zc.open_collection(base))
    assert_there(zc.open_view(view, base=copy))
    assert_there(zc.open_view(view))
    assert_there(zc.View.open(view))


@pytest.mark.parametrize("kind", [str, Path])
def test_so_do_the_asynchronous_ones(home, kind):
    async def main():
        created = await aio.create_collection(
            kind("~/base"), schema=samples.SCHEMA, axis="time", partitioning=samples.quotient()
        )
        await created.insert_async(samples.rows(TIMES))
        await created.copy_async(kind("~/copy"))
        await aio.create_view(kind("~/view"), base=kind("~/base"), variables=[SUM])
        opened = await aio.open_collection(kind("~/copy"))
        view = await aio.open_view(kind("~/view"), base=kind("~/copy"))
        return await opened.query_async(), await view.query_async()

    for found in anyio.run(main):
        samples.assert_rows(found, TIMES)
    assert names(home) == ["base", "copy", "view"]


def stored_base(folder):
    return json.loads((folder / "_zcollection.json").read_text())["view"]["base"]


@pytest.mark.parametrize(
    ("reference", "stored"),
    [
        ("../a%20b", "../a%20b"),
        (Path("../a%20b"), "../a%20b"),
        ("file://{}/a%2520b", "file://{}/a%20b"),
        ("{}/a%20b", "file://{}/a%20b"),
        ("~/../a%20b", "file://{}/a%20b"),
        (None, "file://{}/a%20b"),
    ],
    ids=str,
)
def test_a_reference_is_written_as_earlier_releases_do(tmp_path, reference, stored):
    base = samples.create(tmp_path / "a%20b", TIMES)
    given = reference.format(tmp_path) if isinstance(reference, str) else reference
    zc.create_view(tmp_path / "view", base=base, variables=[SUM], reference=given)
    assert stored_base(tmp_path / "view") == stored.format(tmp_path)
    assert_there(zc.open_view(tmp_path / "view").base)


@pytest.mark.parametrize("reference", ["file://server/base", "file:base", "s3:/bucket/base"])
def test_a_reference_that_leads_nowhere_is_refused(tmp_path, reference):
    base = samples.create(tmp_path / "base", TIMES)
    with pytest.raises(zc.StoreError, match="accepted: "):
        zc.create_view(tmp_path / "view", base=base, variables=[SUM], reference=reference)
    assert not (tmp_path / "view").exists()


def test_a_reference_that_cannot_be_written_is_refused_and_a_relative_one_is_a_way_out(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    base = samples.create(folder / "base", TIMES)
    with pytest.raises(zc.StoreError, match=r"'file://.*\\udcff/base'.*accepted: a reference that can"):
        zc.create_view(folder / "view", base=base, variables=[SUM])
    zc.create_view(folder / "view", base=base, variables=[SUM], reference="../base")
    assert_there(zc.open_view(str(zc.open_view(folder / "view").store.url)).base)


def test_a_reference_holds_no_credential(tmp_path):
    base = samples.create(tmp_path / "base", TIMES)
    zc.create_view(tmp_path / "view", base=base, variables=[SUM], reference="s3://key:secret@bucket/base")
    assert stored_base(tmp_path / "view") == "s3://bucket/base"


def test_a_view_over_a_branch_finds_that_branch(tmp_path):
    base = samples.create(f"icechunk://{tmp_path}/base?branch=main", TIMES)
    zc.create_view(tmp_path / "view", base=base, variables=[SUM])
    assert stored_base(tmp_path / "view") == f"icechunk://{tmp_path}/base?branch=main"
    assert_there(zc.open_view(tmp_path / "view").base)


def test_what_earlier_releases_wrote_of_a_relative_base_is_relative_still(tmp_path):
    samples.create(tmp_path / "data/base", TIMES)
    zc.create_view(tmp_path / "view", base=tmp_path / "data/base", variables=[SUM])
    document = tmp_path / "view/_zcollection.json"
    document.write_bytes(
        samples.forged(document.read_bytes(), f"file://{tmp_path}/data/base".encode(), b"file://data/base")
    )
    assert_there(zc.open_view(tmp_path / "view").base)
