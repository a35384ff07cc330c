"""An expression that somebody else stored with a view ends at once, or is refused before anything is computed."""

import pickle

import pytest
import samples
from ending import outcome

import zcollection as zc
from zcollection.plugin import PluginConfigurationError

TEXTS = ["9**9**9 * value", "where(value > 0, value, 9**9**8)", "((((value**50)**50)**50)**50)", "1 << 10**12 | value"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_stored_expression_that_would_not_end_is_refused_when_the_view_is_opened(tmp_path, monkeypatch, text):
    base, url = samples.create(f"file://{tmp_path}/base", [1, 12]), f"file://{tmp_path}/view"
    with monkeypatch.context() as unchecked:
        unchecked.setattr("zcollection_view_expression.expression.names_in", lambda text, what: ("value",))
        zc.create_view(url, base=base, computation=zc.computation.Expression({"new": text}))
        opened = zc.open_view(url, mode="rw", base=base)
    for use in (
        lambda: zc.open_view(url, mode="rw"),
        pickle.loads(pickle.dumps(opened)).refresh,
        lambda: pickle.loads(pickle.dumps(opened)).query(stale="compute"),
    ):
        found = outcome(use, zc.ZCollectionError)
        assert isinstance(found, PluginConfigurationError), use
        assert "is invalid: " in str(found)


def test_the_view_opens_where_they_end(tmp_path):
    base, url = samples.create(f"file://{tmp_path}/base", [1, 12]), f"file://{tmp_path}/view"
    zc.create_view(
        url, base=base, computation=zc.computation.Expression({"new": "where(value > 5, 2**10, -value % -3)"})
    )
    view = zc.open_view(url, mode="rw")
    view.refresh()
    assert view.query()["new"].to_numpy().tolist() == [-1.25, 1024]
