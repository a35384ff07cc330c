"""Other Python processes, in which an example is created again from its configuration.

They have another seed of string hashes, and in one of them all clocks are far ahead. This reveals results that depend on either, on
random numbers, or on earlier calls in this process.
"""

import ast
import atexit
import datetime as dt
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, BinaryIO, Final

import numpy as np
from attrs import frozen

from zcollection.registry import stored

AHEAD: Final = 40 * 365 * 86_400 + 217 * 86_400 + 7 * 3600 + 13 * 60 + 11
"""Seconds by which the clocks of the other process are ahead, so that year, month, day, hour and minute differ."""

_SERVE: Final = "import sys; from zcollection.testing.elsewhere import serve; serve(int(sys.argv[1]))"
_CLOCK: Final = {"ahead": 0}
_RUNNING: Final[dict[int, "subprocess.Popen[bytes]"]] = {}


@frozen
class Origin:
    """An example, described so that another process can create it.

    Attributes
    ----------
    module, file, qualname
        The location of the class.
    configuration
        The fields of the example, as JSON values.
    """

    module: str
    file: str
    qualname: str
    configuration: dict[str, Any]

    def make(self) -> Any:
        """Return the example, created from its configuration."""
        cls = functools.reduce(getattr, self.qualname.split("."), _imported(self.module, self.file))
        return stored.configure(cls, self.configuration, what=self.qualname)


def twin_of(example: Any) -> Any:
    """Return an equal example created from the configuration; None if that fails, which another check reports."""
    try:
        twin = stored.configure(type(example), stored.configuration(example), what=type(example).__name__)
    except Exception:  # noqa: BLE001 - a plugin may fail in any way
        return None
    return twin if twin == example else None


def origin_of(example: Any) -> Origin | None:
    """Return the description of an example; None if another process cannot import its class, as in a notebook."""
    cls = type(example)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None or "<locals>" in cls.__qualname__ or cls.__module__ == "__main__" or twin_of(example) is None:
        return None
    return Origin(cls.__module__, file, cls.__qualname__, stored.configuration(example))


def elsewhere(
    origin: Origin, function: Callable[[Any, Any], Any], inputs: Sequence[Any], *, ahead: int = 0
) -> list[Any]:
    """Return the results of a function for an example and each input, computed in another process.

    Parameters
    ----------
    origin
        The description of the example.
    function
        A function of a module, called with the example and an input.
    inputs
        The inputs, in order; they must be picklable.
    ahead
        Seconds by which the clocks of the other process are ahead.

    Raises
    ------
    RuntimeError
        The function failed; the message contains the error.
    """
    process = _process(ahead)
    assert process.stdin is not None
    assert process.stdout is not None
    _send(process.stdin, (sys.path, origin, function, list(inputs)))
    answer, text = _receive(process.stdout) or (None, "the other process ended")
    if answer is None:
        message = f"in another process: {text}"
        raise RuntimeError(message)
    return list(answer)


def serve(ahead: int) -> None:
    """Answer requests until the standard input ends, with clocks that are ahead by a number of seconds."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # printed text must not be read as an answer
    importlib.import_module(
        "zcollection.testing"
    )  # imported before the clocks change, because it does not depend on them
    _set_clocks(ahead)
    while (length := requests.read(8)) and len(length) == 8:
        _send(answers, _answer(requests.read(int.from_bytes(length, "little"))))


def _answer(request: bytes) -> tuple[Any, str]:
    try:
        path, origin, function, inputs = pickle.loads(request)  # noqa: S301 - of the process that started this one
        sys.path[:] = path
        example = origin.make()
        return [function(example, item) for item in inputs], ""
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return None, f"{type(error).__name__}: {error}"


def _imported(name: str, file: str) -> Any:
    """Return a module by its name, or by its file if the name is unknown or that of another module."""
    if name in sys.modules or _file_of(name) == file:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _file_of(name: str) -> str | None:
    """Return the file that an import of a name would run, without running it; pytest may give modules other names."""
    found, locations = None, None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        found = importlib.machinery.PathFinder.find_spec(".".join(parts[:count]), locations)
        if found is None:
            return None
        locations = list(found.submodule_search_locations or ())
    return None if found is None else found.origin


def _process(ahead: int) -> "subprocess.Popen[bytes]":
    """Return the process whose clocks are ahead by a number of seconds; it is started at the first access."""
    found = _RUNNING.get(ahead)
    if found is None or found.poll() is not None:
        seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found = _RUNNING[ahead] = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(ahead)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
    return found


@atexit.register
def _end() -> None:
    for process in _RUNNING.values():
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()
    _RUNNING.clear()


def _send(stream: BinaryIO | Any, item: object) -> None:
    data = pickle.dumps(item)
    stream.write(len(data).to_bytes(8, "little") + data)
    stream.flush()


def _receive(stream: BinaryIO | Any) -> Any:
    length = stream.read(8)
    return pickle.loads(stream.read(int.from_bytes(length, "little"))) if len(length) == 8 else None  # noqa: S301


def moved(value: np.datetime64) -> np.datetime64:
    """Return a time of the clock of NumPy, moved by the offset of this process."""
    return (value + np.timedelta64(_CLOCK["ahead"], "s")).astype(value.dtype)


def _set_clocks(ahead: int) -> None:
    """Move the clocks of this process ahead, for all modules that are imported from now on."""
    if ahead:
        _CLOCK["ahead"] = ahead
        _move_time(ahead)
        _move_datetime(dt.timedelta(seconds=ahead))
        _move_numpy()


def _move_time(ahead: int) -> None:
    for name in ("time", "monotonic", "perf_counter"):
        for suffix, unit in (("", 1), ("_ns", 10**9)):
            real = getattr(time, name + suffix)
            setattr(time, name + suffix, lambda real=real, unit=unit: real() + ahead * unit)
    for name in ("gmtime", "localtime", "ctime"):
        real = getattr(time, name)
        setattr(time, name, lambda seconds=None, real=real: real(time.time() if seconds is None else seconds))
    strftime: Any = time.strftime
    time.strftime = lambda form, *moment: strftime(form, *(moment or [time.localtime()]))


def _move_datetime(ahead: dt.timedelta) -> None:
    date: Any = dt.date
    moment: Any = dt.datetime

    class _Compatible(type):
        """Makes existing dates, and those of libraries, instances of the replaced classes."""

        def __instancecheck__(cls, item: object) -> bool:
            return isinstance(item, real[cls]) if cls in real else super().__instancecheck__(item)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, real[cls]) if cls in real else super().__subclasscheck__(other)

    class _Date(date, metaclass=_Compatible):  # type: ignore[misc]
        @classmethod
        def today(cls) -> Any:
            return (moment.now() + ahead).date()

    class _Datetime(moment, metaclass=_Compatible):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return moment.now(tz) + ahead

        @classmethod
        def utcnow(cls) -> Any:
            return moment.now(dt.UTC).replace(tzinfo=None) + ahead

        @classmethod
        def today(cls) -> Any:
            return moment.now() + ahead

    real: dict[type, Any] = {_Date: date, _Datetime: moment}
    dt.date, dt.datetime = _Date, _Datetime  # type: ignore[misc]


def _move_numpy() -> None:
    """Replace the clock of NumPy, ``np.datetime64("now")``, in modules that use it."""
    loader: Any = importlib.machinery.SourceFileLoader
    get_code = loader.get_code

    def get_moved_code(self: Any, fullname: str) -> CodeType | None:
        source = Path(self.get_filename(fullname)).read_bytes()
        if b"datetime64" not in source or not any(word in source for word in (b"now", b"today")):
            found: CodeType | None = get_code(self, fullname)
            return found
        tree = ast.fix_missing_locations(_Moving().visit(ast.parse(source)))
        return compile(tree, self.get_filename(fullname), "exec", dont_inherit=True)

    loader.get_code = get_moved_code


class _Moving(ast.NodeTransformer):
    """Wraps every ``datetime64("now", …)`` and ``datetime64("today", …)`` in a call of `moved`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        if name != "datetime64" or not isinstance(first, ast.Constant) or first.value not in {"now", "today"}:
            return node
        moving = ast.parse(f"__import__({__name__!r}, fromlist=['moved']).moved", mode="eval").body
        return ast.copy_location(ast.Call(func=moving, args=[node], keywords=[]), node)
