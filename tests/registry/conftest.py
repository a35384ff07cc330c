import pytest
from distributions import Site


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for variable in ("ZCOLLECTION_PLUGINS", "ZCOLLECTION_DISABLE_PLUGINS", "ZCOLLECTION_STRICT_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)
    return Site(tmp_path)
