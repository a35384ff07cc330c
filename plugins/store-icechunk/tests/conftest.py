import os

import pytest

from zcollection.testing.servers import ministack_server, moto_server

__all__ = ["ministack_server", "moto_server"]


@pytest.fixture(autouse=True)
def _no_credentials_of_whoever_runs_the_tests(monkeypatch, tmp_path_factory):
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / "missing"))
