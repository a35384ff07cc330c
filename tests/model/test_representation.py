import re

import numpy as np
import pytest
from markup import texts_of

import zcollection as zc
from zcollection.model.formatting import format_bytes


def schema(**attrs):
    made = (
        zc.Schema()
        .with_dimension("time")
        .with_dimension("x", size=240)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("ssh", dtype="float32", dimensions=("time", "x"))
        .with_variable("name", dtype="string", dimensions=("time",))
        .with_variable("power", dtype="int16", dimensions=("time",), group="/data/ku")
    )
    for name, value in attrs.items():
        made = made.with_attribute(name, value)
    return made.build()


def dataset(**attrs):
    return zc.Dataset(
        schema(**attrs),
        {
            "time": np.arange("2024-01-01", "2024-01-09", dtype="M8[D]"),
            "ssh": np.linspace(0, 1, 8 * 240).reshape(8, 240).astype("f4"),
            "name": ["a", "<b>&", *"cdefgh"],
            "data/ku/power": np.arange(8),
        },
    )


def test_several_lines_show_sizes_dimensions_variables_and_groups():
    lines = repr(dataset(title="Sea level")).splitlines()
    assert lines[0] == "<zcollection.Dataset> 7.9 kB"
    assert lines[1] == "Dimensions: (time: 8, x: 240)"
    assert [line.split()[0] for line in lines[3:6]] == ["time", "ssh", "name"]
    assert "datetime64[ns]  64 B    2024-01-01 2024-01-02" in lines[3]
    assert "(time, x)  float32         7.7 kB" in lines[4]
    assert "    title:  Sea level" in lines
    assert any("power  (time)  int16  16 B  0 1 2 3 4 …" in line for line in lines)


def test_columns_are_aligned():
    rows = repr(dataset()).splitlines()[3:6]
    assert len({row.index("(") for row in rows}) == 1


def test_a_group_shows_its_path():
    assert repr(dataset()["data/ku"]).startswith("<zcollection.Group /data/ku> 16 B\n")


def test_large_tables_are_truncated():
    builder = zc.Schema().with_dimension("n")
    for number in range(200):
        builder = builder.with_variable(f"v{number}", dtype="i1", dimensions=("n",)).with_attribute(
            f"a{number}", "x" * 1000
        )
        builder = builder.with_group(f"g{number}")
    made = zc.Dataset(builder.build(), {f"v{number}": [1] for number in range(200)})
    lines = repr(made).splitlines()
    assert len(lines) < 130
    assert max(map(len, lines)) < 120
    for rest in ("… 160 more", "… 188 more", "… 180 more"):
        assert any(rest in line for line in lines)
    assert len(made._repr_html_()) < 30_000


def test_lazy_values_are_not_computed():
    array = pytest.importorskip("dask.array")

    def fail(block):
        raise AssertionError("computed")

    lazy = array.zeros(8, chunks=2, dtype="int16").map_blocks(fail, dtype="int16", meta=np.array((), dtype="int16"))
    made = zc.Dataset(schema(), {"data/ku/power": lazy})
    assert "<lazy Array>" in repr(made)
    assert "&lt;lazy Array&gt;" in made._repr_html_()


def test_html_is_well_formed_and_escapes_everything():
    texts = texts_of(dataset(title="<script>alert(1)</script>")._repr_html_())
    assert {"<zcollection.Dataset> 7.9 kB", "<script>alert(1)</script>", "ku", "7.7 kB"} <= set(texts)
    assert any("'<b>&'" in text for text in texts)


def test_an_empty_dataset_is_shown():
    assert repr(zc.Dataset(zc.Schema().build(), {})) == "<zcollection.Dataset> 0 B\nDimensions: ()"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (5 * 10**18, "5000.0 PB"),
    ],
)
def test_sizes_are_in_decimal_units(size, text):
    assert format_bytes(size) == text


STRANGE = "\x1b[31m\x07\x9b\0\r\u202e\u2028\ud800\U000e0001"
"""Terminal escapes, the bell, bidirectional controls, line ends and invalid characters."""


def test_the_content_of_a_dataset_injects_no_escapes_and_no_markup():
    made = dataset(**{f"title{STRANGE}": f"Sea{STRANGE}level", "list": [STRANGE], "two": "first\nsecond"})
    made = zc.Dataset(made.schema, {"name": [STRANGE.replace("\ud800", ""), "b\n"]})
    for shown in (
        repr(made),
        made._repr_html_(),
        repr(made.schema),
        repr(made["data/ku"]),
        repr(made.get_variable("name")),
    ):
        assert not any(each in shown for each in STRANGE.replace("[31m", ""))
    assert r"title\x1b[31m\x07\x9b\x00\r\u202e\u2028\ud800\U000e0001:  Sea\x1b[31m" in repr(made)
    assert re.search("two: +first second", repr(made))
    repr(made).encode()


def test_long_strings_are_shown_shortened():
    made = zc.Dataset(schema(), {"name": ["a rather long text " * 9, "b"]})
    assert "'a rather long text a rather long … 'b'" in repr(made)


def declared():
    return (
        zc.Schema()
        .with_dimension("time", chunks=4096, shards=8192)
        .with_dimension("x", size=240)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=np.nan, attrs={"units": "m"})
        .with_variable("power", dtype="int16", dimensions=("time",), group="/data/ku")
        .with_attribute("title", "Sea level")
    )


def test_a_schema_shows_dimensions_with_chunks_and_variables_with_units():
    assert repr(declared().build()).splitlines() == [
        "<zcollection.DatasetSchema>",
        "Dimensions:",
        "    name  size  chunks  shards",
        "    time  any    4,096   8,192",
        "    x     240",
        "Variables:",
        "    name  dimensions  dtype           units  fill value  coordinate",
        "    time  (time)      datetime64[ns]                     yes",
        "    ssh   (time, x)   float32         m      nan",
        "Attributes:",
        "    title:  Sea level",
        "Groups:",
        "    data:",
        "        Groups:",
        "            ku:",
        "                Variables:",
        "                    name   dimensions  dtype",
        "                    power  (time)      int16",
    ]


def test_a_builder_is_shown_as_what_it_has_declared_so_far():
    lines = repr(declared()).splitlines()
    assert lines[0] == "<zcollection.Schema>"
    assert lines[1:] == repr(declared().build()).splitlines()[1:]
    unknown = declared().with_variable("v", dtype="i1", dimensions=("nowhere",))
    assert "(nowhere)" in repr(unknown), "what cannot be built yet can be looked at"


def test_a_group_of_a_schema_shows_its_name():
    assert repr(declared().build().groups["data"]).startswith("<zcollection.GroupSchema data>\nGroups:")


def test_a_declared_variable_shows_how_it_is_stored():
    variable = declared().build().variables["ssh"]
    assert repr(variable).splitlines() == [
        "<zcollection.VariableSchema ssh> (time, x) float32",
        "    fill value:  nan",
        "    codecs:      bytes(endian=little), blosc(typesize=4, cname=lz4, clevel=5, shuffle=shuffle, blocksize=0), crc32c",
        "Attributes:",
        "    units:  m",
    ]
    assert str(variable) == "ssh(time, x) float32"


def test_a_variable_shows_its_sizes_and_first_values():
    made = zc.Dataset(declared().build(), {"ssh": np.arange(480, dtype="f4").reshape(2, 240)})
    lines = repr(made["ssh"]).splitlines()
    assert lines[0] == "<zcollection.Variable ssh> (time: 2, x: 240) float32 1.9 kB"
    assert lines[1] == "    values:      0 1 2 3 4 …"
    assert lines[-1] == "    units:  m"
    assert {"values:", "0 1 2 3 4 …", "units:", "m"} <= set(texts_of(made["ssh"]._repr_html_()))


def test_no_value_is_shown_in_part():
    made = zc.Dataset(schema(), {"time": np.arange("2024-01-01T00:00:00.1", 8, dtype="M8[ms]")})
    (shown,) = re.findall(r"values: +(.*)", repr(made["time"]))
    assert shown == "2024-01-01T00:00:00.100000000 2024-01-01T00:00:00.101000000 …"


def test_a_very_deep_tree_is_shown_in_part():
    builder = zc.Schema().with_dimension("n")
    for path in (f"a{one}/b{two}/c{three}" for one in range(12) for two in range(12) for three in range(3)):
        builder = builder.with_variable("v", dtype="i1", dimensions=("n",), group=path)
    made = zc.Dataset(builder.build(), {"a0/b0/c0/v": [1]})
    for shown in (made, builder):
        assert len(repr(shown).splitlines()) < 60
        assert "… 12 more" in repr(shown)
        assert len(texts_of(shown._repr_html_())) < 120


def test_many_dimensions_are_shown_in_part():
    names = [f"d{number}" for number in range(200)]
    builder = zc.Schema()
    for name in names:
        builder = builder.with_dimension(name, size=1)
    made = zc.Dataset(builder.build(), {})
    assert repr(made).splitlines()[1].endswith("d7: 1, … (200 in all))")
    assert "… 160 more" in repr(builder)


def test_credentials_in_attributes_are_not_shown():
    made = dataset(history="from https://me:swordfish@host/file.nc?token=swordfish")
    for shown in (made, made.schema):
        assert "from https://***@host/file.nc?***" in repr(shown)
        assert "swordfish" not in repr(shown) + shown._repr_html_()


def test_a_packed_variable_shows_how():
    packing = zc.Packing("int16", scale_factor=1e-4, fill_value=-32768)
    variable = zc.VariableSchema("ssh", dtype="f8", dimensions=("time",), packing=packing)
    assert "    packing:     int16, scale_factor=0.0001, fill_value=-32768" in repr(variable).splitlines()
