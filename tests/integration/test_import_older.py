"""Older collections are imported: what their own software wrote, compared with what it was told to write."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from zcollection_import import import_collection

import zcollection as zc

GOLDEN = Path(__file__).parents[2] / "plugins" / "import" / "tests" / "golden"
HOUR = np.timedelta64(1, "h")


def unpacked(tmp_path, name):
    zipfile.ZipFile(GOLDEN / f"{name}.zip").extractall(tmp_path / "old")
    return tmp_path / "old"


def small():
    """What the collections of 72 hours hold."""
    number = np.arange(72)
    ssh = 3.0 * number[:, None] + np.arange(3)
    return {"time": np.datetime64("2024-01-30T00", "ns") + number * HOUR, "ssh": ssh}, number


def first():
    columns, number = small()
    return columns | {"cycle": (number // 24).astype("i4"), "pass_number": (number // 8).astype("i4")}


def rewrite():
    columns, number = small()
    columns["ssh"] = columns["ssh"].astype("f4")
    return columns | {"data_01/ku/power": number.astype("f4"), "mean_surface": np.array([1.0, 2.0, 3.0])}


def packed():
    number = np.arange(36)
    stored = (np.arange(108).reshape(36, 3) - 50).astype("i2")
    ssh = stored * 0.001 + 1.5
    ssh[5, 1] = np.nan
    return {
        "time": np.datetime64("2023-12-31T00", "ns") + number * HOUR,
        "cycle": (number // 20).astype("i4"),
        "pass": (number // 4 + 1).astype("i2"),
        "ssh": ssh,
        "flag": (number % 5).astype("u1"),
        "mean": np.array([1.0, 2.0, 3.0]),
    }


def texts():
    return {
        "time": np.datetime64("2024-01-01", "ns") + np.arange(6) * np.timedelta64(8, "h"),
        "swh": np.full(6, np.nan, "f4"),
        "zero": np.zeros(6, "i4"),
        "mode": np.array(["a", "bcd", "", "x", "y", "z"], "U3"),
        "ok": np.arange(6) % 2 == 0,
    }


MONTHS = ("year=2024/month=01", "year=2024/month=02")
CASES = {
    "first-by-month": (first, zc.partitioning.Date(("time",), resolution="M"), MONTHS),
    "first-by-cycle": (
        first,
        zc.partitioning.Sequence(("cycle", "pass_number")),
        tuple(f"cycle={at // 3}/pass_number={at}" for at in range(9)),
    ),
    "first-packed-by-day": (
        packed,
        zc.partitioning.Date(("time",), resolution="D"),
        ("year=2023/month=12/day=31", "year=2024/month=01/day=01"),
    ),
    "first-packed-by-pass": (
        packed,
        zc.partitioning.Sequence(("cycle", "pass")),
        tuple(f"cycle={int(at > 5)}/pass={at}" for at in range(1, 10)),
    ),
    "first-texts-by-month": (texts, zc.partitioning.Date(("time",), resolution="M"), MONTHS[:1]),
    "rewrite-with-catalog": (rewrite, zc.partitioning.Date(("time",), resolution="M"), MONTHS),
    "rewrite-without-catalog": (rewrite, zc.partitioning.Date(("time",), resolution="M"), MONTHS),
}


def test_every_archive_has_its_case():
    assert {path.stem for path in GOLDEN.glob("*.zip")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_it_holds_what_its_own_software_was_told_to_write(name, tmp_path):
    columns, partitioning, partitions = CASES[name]
    old = unpacked(tmp_path, name)
    report = import_collection(old, tmp_path / "new")
    collection = zc.open_collection(tmp_path / "new")
    assert collection.partitioning == partitioning
    assert collection.partitions() == partitions
    dataset = collection.query()
    assert set(dataset.all_variables()) == set(columns())
    for path, values in columns().items():
        found = dataset.get_variable(f"/{path}").to_numpy()
        np.testing.assert_array_equal(found, values, err_msg=path)
        assert found.dtype == values.dtype
    rows = len(columns()["time"])
    assert (report.rows, report.imported, report.problems) == (rows, rows, ())
    assert (report.units, report.partitions) == (len(partitions), len(partitions))
    assert report.kind == ("zcollection-1" if name.startswith("first") else "zcollection-rewrite")


def test_packing_fill_values_and_attributes_are_kept(tmp_path):
    import_collection(unpacked(tmp_path, "first-packed-by-day"), tmp_path / "new")
    schema = zc.open_collection(tmp_path / "new").schema
    assert schema.get_variable("ssh").packing == zc.Packing(
        "int16", scale_factor=0.001, add_offset=1.5, fill_value=32767
    )
    assert schema.get_variable("ssh").attrs["units"] == "m"
    assert schema.get_variable("flag").fill_value == 255
    assert schema.attrs == {"title": "sea level", "history": "made up"}


def test_attributes_of_nested_groups_are_kept(tmp_path):
    import_collection(unpacked(tmp_path, "rewrite-with-catalog"), tmp_path / "new")
    assert zc.open_collection(tmp_path / "new").schema.get_group("/data_01/ku").attrs == {"band": "Ku"}


def test_it_may_be_partitioned_anew(tmp_path):
    report = import_collection(unpacked(tmp_path, "first-by-cycle"), tmp_path / "new", partitioning="date:D")
    assert report.partitions == 3
    dataset = zc.open_collection(tmp_path / "new").query()
    np.testing.assert_array_equal(dataset.get_variable("ssh").to_numpy(), first()["ssh"])


def test_the_old_collection_stays_as_it_is(tmp_path):
    old = unpacked(tmp_path, "first-packed-by-day")
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    import_collection(old, tmp_path / "new")
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("first-by-month", "a collection of zcollection 1.x"),
        ("rewrite-with-catalog", "a collection of the Zarr v3 rewrite of zcollection"),
    ],
)
@pytest.mark.parametrize("mode", ["r", "rw"])
def test_opening_one_says_what_it_is_and_how_to_import_it(name, what, mode, tmp_path):
    old = unpacked(tmp_path, name)
    before = sorted(old.rglob("*"))
    with pytest.raises(zc.CollectionNotFoundError) as caught:
        zc.open_collection(old, mode=mode)
    assert str(caught.value) == (
        f"there is no collection at file://{old}, but {what}; make one of it with 'zcollection import file://{old} NEW'"
    )
    assert sorted(old.rglob("*")) == before


def test_opening_a_zarr_store_says_so_too(tmp_path):
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(zc.CollectionNotFoundError, match="but a Zarr group; make one of it with 'zcollection import"):
        zc.open_collection(tmp_path)


def test_a_damaged_configuration_of_ours_is_none_of_the_rewrite(tmp_path):
    (tmp_path / "_zcollection.json").write_text(
        '{"format_version": 1, "kind": "x", "axis": 1, "partitioning": 1, "schema": 1}'
    )
    with pytest.raises(zc.CorruptionError):
        zc.open_collection(tmp_path)


STATED = {
    "GroupedSequence": {"name": "grouped_sequence", "variables": ["time"], "size": 5, "start": 1},
    "Sequence": {"name": "sequence", "variables": ["time"], "dimension": "time"},
}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (STATED["Sequence"], lambda: zc.partitioning.Sequence(("time",))),
        (STATED["GroupedSequence"], lambda: zc.partitioning.GroupedSequence(("time",), size=5, start=1)),
    ],
    ids=STATED,
)
def test_the_other_partitionings_of_the_rewrite_are_mapped_too(stated, expected, tmp_path):
    from zcollection_import import recognise

    old = with_partitioning(unpacked(tmp_path, "rewrite-with-catalog"), stated)
    assert recognise(old).partitioning("time") == expected()


def with_partitioning(old, stated):
    document = old / "_zcollection.json"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"partitioning": stated}))
    return old


def test_an_unknown_partitioning_asks_for_one(tmp_path):
    old = with_partitioning(unpacked(tmp_path, "rewrite-with-catalog"), {"name": "hexagon", "variable": "time"})
    with pytest.raises(zc.SchemaError, match=r"states the partitioning 'hexagon'; known: 'Date'.*--by"):
        import_collection(old, tmp_path / "new")
    assert import_collection(old, tmp_path / "new", partitioning="date:M").rows == 72
