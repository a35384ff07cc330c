"""The JSON Schemas in the documentation are those of the classes, and real documents are valid by them."""

import json
import sys
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from environments import ROOT
from numcodecs.zstd import Zstd

import zcollection as zc
from zcollection.transaction.documents import ATTRIBUTE
from zcollection.transaction.index import catalog

sys.path.insert(0, str(ROOT / "docs"))

import make_schemas

GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/*.zip"))
MANY = 40
"""Partitions enough for every form of a column, and versions enough for a checkpoint."""


def validator(name):
    schema = json.loads((make_schemas.FOLDER / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def documents(folder):
    """Every document of ours below a directory, with the name of its schema."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        if path == "_zcollection.json":
            yield "configuration", json.loads(file.read_text())
        elif path.startswith("_transactions/log/") and path.endswith(".json"):
            yield "record", json.loads(file.read_text())
        elif path.startswith("_transactions/history/"):
            yield "history", json.loads(file.read_text())
        elif path == "_catalog/c/0":
            yield "catalog", json.loads(catalog._decode(file.read_bytes()).partition(b"\n")[2])
        elif path.startswith("_transactions/segments/"):
            yield "segment", json.loads(Zstd().decode(file.read_bytes()))
        elif file.name == "zarr.json" and ATTRIBUTE in (attributes := json.loads(file.read_text())["attributes"]):
            yield "partition", json.loads(attributes[ATTRIBUTE])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Collections of all kinds: those that are kept, and one with a long history."""
    folder = tmp_path_factory.mktemp("documents")
    for archive in GOLDEN:
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder / archive.stem)
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",))
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(f"file://{folder}/long", schema=schema, axis="time", partitioning=partitioning)
    for day in range(MANY):
        collection.insert({"time": np.array([day * 86_400 * 10**9, day * 86_400 * 10**9 + 7 * day])})
    collection.drop_partitions(filters="day == 1")
    collection.vacuum(older_than="0s")
    height = zc.VariableSchema("height", dtype="float32", dimensions=("time",))
    view = zc.create_view(f"file://{folder}/view", base=collection, variables=[height])
    view.update(lambda rows: {"height": np.zeros(rows.sizes["time"], "float32")})
    found = {name: [body for kind, body in _all(folder) if kind == name] for name in make_schemas.DOCUMENTS}
    schemas = [zc.open_collection(f"file://{folder}/{name}").schema for name in ("meaning", "nested", "long")]
    return {**found, "schema": [json.loads(item.to_json()) for item in schemas]}


def _all(folder):
    for collection in sorted(folder.iterdir()):
        yield from documents(collection)


@pytest.mark.parametrize("name", make_schemas.DOCUMENTS)
def test_the_schema_is_that_of_the_class(name):
    written = (make_schemas.FOLDER / f"{name}.json").read_text()
    assert written == make_schemas.text_of(name), "run: uv run python docs/make_schemas.py"


@pytest.mark.parametrize("name", make_schemas.DOCUMENTS)
def test_real_documents_are_valid(name, written):
    assert written[name], f"no {name} was written"
    for body in written[name]:
        validator(name).validate(body)


@pytest.mark.parametrize("name", make_schemas.DOCUMENTS)
def test_others_are_not(name, written):
    body = written[name][0]
    assert not validator(name).is_valid({**body, "no_such_key": 1})
    for key in validator(name).schema["required"]:
        assert not validator(name).is_valid({other: value for other, value in body.items() if other != key})


@pytest.mark.parametrize("name", make_schemas.DOCUMENTS)
def test_every_key_is_described_on_the_page(name):
    page = (ROOT / "docs" / "reference" / "documents.md").read_text()
    assert f"schemas/{name}.json" in page


def test_the_page_of_settings_names_every_key_of_the_configuration():
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    keys = json.loads(Path(make_schemas.FOLDER, "configuration.json").read_text())["properties"]
    assert [key for key in keys if f"| `{key}` |" not in page] == []
