"""Where compiled modules are kept.

Where PYTHONDONTWRITEBYTECODE is set, hundreds of processes that the tests start would each compile all libraries again, which takes
as long as the tests. The compiled modules are then kept in a folder of the tests' cache, and still not beside the sources.
"""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "bytecode"


def keep():
    """Keep compiled modules, of this process and of those that it starts."""
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(FOLDER)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


keep()
