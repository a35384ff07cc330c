"""Write the golden collections of this release: ``uv run python tests/golden/write.py``, once, before it is published."""

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from golden_cases import CASES

import zcollection as zc

FOLDER = Path(__file__).parent / zc.__version__


def write(name):
    """Write one collection as a zip file."""
    with tempfile.TemporaryDirectory() as work:
        CASES[name].write(f"file://{work}/col")
        with zipfile.ZipFile(FOLDER / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(Path(work, "col").rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(Path(work, "col")))


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name in CASES:
        write(name)
        print(FOLDER.name, name)
