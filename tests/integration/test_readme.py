"""The README tells the truth: its examples run, as written, in the order in which a reader meets them."""

import re
from pathlib import Path

import numpy as np

import zcollection as zc

README = Path(__file__).parents[2] / "README.md"
DESIGN = """\
col = zc.create_collection("file:///data/altimetry", schema=schema, axis="time",
                           partitioning=zc.partitioning.Date(("time",), resolution="M"))
"""


def blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_the_examples_run_as_written(tmp_path, capsys):
    quick_start, more, faults, view = blocks()
    assert DESIGN in quick_start
    names = {}
    for block in (quick_start, more, faults, view):
        exec(compile(block.replace("/data/", f"{tmp_path}/"), "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "2 partitions (2 new): 96 rows added" in printed
    assert "96 rows replaced" in printed
    assert "('year=2024/month=02',)\nTrue\n() 0\n" in printed
    np.testing.assert_array_equal(
        names["view"].query()["doubled"].to_numpy(), 2.0 * names["view"].query()["ssh"].to_numpy()
    )
    assert names["view"].status().is_current
    assert names["january"]["time"].dtype == np.int64
    reopened = zc.open_collection(f"{tmp_path}/altimetry")
    assert reopened.partitions() == ("year=2024/month=02",)
    assert reopened.schema.get_variable("time").attrs["units"] == "nanoseconds since 1970-01-01"


def test_the_commands_of_the_readme_are_there():
    text = README.read_text()
    assert "pip install uv && uv run zcollection demo" in text
    assert "pip install uv && uv run pytest" in text


def test_the_links_lead_to_files_of_the_repository():
    """They are absolute, so that the page of the package index can follow them too."""
    text = README.read_text()
    places = re.findall(r"^\[[\w-]+\]: \S+/zcollection/(?:blob/)?main/(\S+)$", text, flags=re.MULTILINE)
    assert places == [place for place in places if (README.parent / place).is_file()]
    assert set(re.findall(r"\]\[([\w-]+)\]", text)) == set(re.findall(r"^\[([\w-]+)\]: ", text, flags=re.MULTILINE))
    assert re.findall(r"\]\((?!https?://)", text) == []


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 200
