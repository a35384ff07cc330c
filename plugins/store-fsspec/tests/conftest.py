import io
import os
import tarfile
import zipfile

import pytest

from zcollection.testing.servers import moto_server
from zcollection.testing.web import web_server

__all__ = ["moto_server", "web_server"]


class Archives:
    """Creates archives with modules of the standard library."""

    def zipped(self, path, objects, *, folder="", compression=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", compression) as archive:
            for key, data in objects.items():
                archive.writestr(f"{folder}{key}", data)

    def tarred(self, path, objects, *, folder="./"):
        with tarfile.open(path, "w") as archive:
            for key, data in objects.items():
                member = tarfile.TarInfo(f"{folder}{key}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))

    def contents(self, folder):
        """Return the files under a folder, by key."""
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def archives():
    return Archives()


@pytest.fixture(autouse=True)
def _no_credentials_of_whoever_runs_the_tests(monkeypatch, tmp_path_factory):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / "missing"))
