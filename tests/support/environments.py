"""Environments made of wheels: the libraries of this one, and of zcollection only what a test installs."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
OURS = ("zcollection", "_zcollection", "__editable__", "_virtualenv")


def build_wheel(project, folder):
    """Build the wheel of a project, by the build backend that is installed here, and return its path."""
    (wheel,) = WheelBuilder(str(project)).build(directory=str(folder))
    return Path(wheel)


def build_all(folder):
    """Build the wheels of the workspace, and return their paths by import name."""
    # In a process of its own: what tests of this one have patched or loaded is none of a build's.
    command = [sys.executable, "-c", "import environments, sys; environments.build_each(sys.argv[1])", str(folder)]
    subprocess.run(command, check=True, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)
    return {wheel.name.partition("-")[0]: wheel for wheel in sorted(Path(folder).glob("*.whl"))}


def build_each(folder):
    """Build the wheels of the workspace in this process."""
    for project in (ROOT, *sorted((ROOT / "plugins").iterdir())):
        os.chdir(project)  # a build reads the README from where it runs
        build_wheel(project, folder)


class Environment:
    """A virtual environment with the libraries of this one, and nothing of zcollection yet."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False, symlinks=True)
        self.site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}, scheme="venv"))
        self.python = folder / "bin" / "python"
        self._installed = {}
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.lower().startswith(OURS):
                (self.site / entry.name).symlink_to(entry)

    def install(self, *wheels):
        """Install wheels, and nothing that they require."""
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(self.site)
                self._installed[wheel] = archive.namelist()

    def uninstall(self, wheel):
        """Remove what a wheel has installed."""
        for name in self._installed.pop(wheel):
            (self.site / name).unlink()

    def run(self, code, *arguments, **variables):
        """Run code in a process of its own, outside of this checkout."""
        return self.call("-c", code, *arguments, **variables)

    def call(self, *arguments, cwd=None, timeout=500, **variables):
        """Run the interpreter with arguments."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ZCOLLECTION"))}
        return subprocess.run(
            [self.python, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=kept | variables,
            timeout=timeout,
            cwd=cwd or self.site,
        )

    def command_line(self, *arguments):
        """Run the command zcollection."""
        code = "import sys; sys.argv[0] = 'zcollection'; from zcollection.cli import main; main()"
        return self.run(code, *arguments)
