"""Disable each safety step of the protocol; some test must then fail: ``python tests/faults/mutants.py``.

All tests are first run with every step. A failure of another test does not count, nor does an error of the kinds that
occur if the code that the step is removed from has changed since.
"""

import argparse
import os
import re
import subprocess
import sys

import running
import steps

FAILED = re.compile(r"^FAILED (.+?)(?: - (\w+).*)?$", re.MULTILINE)
OF_OTHER_CODE = {"AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "TypeError", "UnboundLocalError"}


def run(tests: list[str], *, without: str | None = None) -> tuple[int, str]:
    """Run tests, perhaps without a step, and return pytest's exit code and what it printed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n0",
        "-p",
        "no:cacheprovider",
        "--timeout=600",
        "-p",
        "effort",  # which defines the profile, also for tests of plugins
        "--hypothesis-profile=thorough",
        *tests,
    ]
    modules = os.pathsep.join([str(running.HERE), str(running.HERE.parent / "support")])
    # Wide, so that reasons are not truncated.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000", "PYTHONPATH": modules}
    if without is not None:
        command += ["-p", "mutating"]
        environment |= {"ZCOLLECTION_WITHOUT": without}
    done = subprocess.run(command, cwd=running.HERE.parents[1], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def caught_by(name: str) -> str | None:
    """Return the test that fails without a step, or None."""
    code, output = run(list(steps.STEPS[name].tests), without=name)
    failed = FAILED.search(output)
    return failed[1] if code == 1 and failed and failed[2] not in OF_OTHER_CODE else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", nargs="+", choices=steps.STEPS, default=list(steps.STEPS))
    options = parser.parse_args()
    tests = sorted({test for name in options.steps for test in steps.STEPS[name].tests})
    code, output = run(tests)
    if code:
        sys.exit(f"the tests fail although every step is enabled:\n{output}")
    found = {name: caught_by(name) for name in options.steps}
    caught = [name for name, test in found.items() if test]
    print(f"{len(caught)} of {len(found)} caught", file=sys.stderr)
    figures = {"mutants": len(found), "caught": len(caught), "by": found}
    running.finish(figures, faults=len(found) - len(caught))


if __name__ == "__main__":
    main()
