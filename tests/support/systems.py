"""macOS and Windows as far as files go, played on the system that the tests run on.

The modules of the file store are loaded again with another `os`, which has only what the played system has, and refuses
what that refuses: a function that is used and missing there is an AttributeError.

Windows: paths are those of Windows (drive C: is the root directory); files are opened in text mode unless asked otherwise;
what is open can be neither renamed nor replaced nor removed, nor can a directory above it; a rename replaces nothing; a
directory cannot be opened; names are checked, paths have at most 259 characters unless they begin with ``\\\\?\\``; there is no
`fcntl`, `pread` or `dir_fd`. macOS: a directory cannot be unlinked, and names are listed decomposed. Both: a name is found
whatever its case, and two directories cannot be swapped.
"""

import builtins
import errno
import importlib
import ntpath
import os
import posixpath
import re
import shutil
import stat
import sys
import types
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import filelock

PACKAGE = "zcollection_store_file"
KERNEL = ("zcollection.contracts.local_path", "zcollection.contracts.url", "zcollection.view.reference")
"""Modules of the kernel that know of local paths."""

SYSTEMS = ("windows", "macos", "windows without links", "macos without links")

_TEXT_IS_OFF = 1 << 30
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)( *\..*)?", re.IGNORECASE)
_SAME = (
    "PathLike", "close", "environ", "fdopen", "fsdecode", "fsencode", "fspath", "fstat", "getpid", "lseek", "stat_result",
    "strerror", "O_CREAT", "O_EXCL", "O_RDONLY", "O_RDWR", "O_WRONLY", "SEEK_SET",
)  # fmt: skip
_ON_POSIX = ("O_DIRECTORY", "O_NONBLOCK", "pread")


def _refusal(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)


class Entry:
    """An entry of a listing."""

    def __init__(self, system: "System", entry: "os.DirEntry[str]", given: str) -> None:
        self._system, self._entry = system, entry
        self.name = unicodedata.normalize("NFD", entry.name) if system.is_macos else entry.name
        self.path = system.path.join(given, self.name)
        self.is_dir, self.is_file, self.is_symlink = entry.is_dir, entry.is_file, entry.is_symlink

    def stat(self) -> os.stat_result:
        found = self._entry.stat()
        if self._system.is_macos:
            return found
        lacking = [*found]
        lacking[stat.ST_INO] = 0  # as of every listing on Windows
        return os.stat_result(lacking)


class System(types.ModuleType):
    """What `os` is on a system that is played."""

    def __init__(self, kind: str) -> None:
        super().__init__("os")
        self.is_macos = kind.startswith("macos")
        self.has_links = "without links" not in kind
        self.name, self.sep = ("posix", "/") if self.is_macos else ("nt", "\\")
        self.path = _paths(self, posixpath if self.is_macos else ntpath)
        self._opened: dict[int, tuple[str, tuple[int, int], int]] = {}
        for name in (*_SAME, *(_ON_POSIX if self.is_macos else ())):
            setattr(self, name, getattr(os, name))
        self.supports_dir_fd = {self.open, self.mkdir} if self.is_macos else set()
        if not self.is_macos:
            self.O_BINARY = _TEXT_IS_OFF
        self.pauses: list[float] = []

    def real(self, path: str) -> str:
        """Return the path of the system that the tests run on."""
        path = os.fspath(path)
        return self._found(path if self.is_macos else self._of_windows(path))

    def _of_windows(self, path: str) -> str:
        long = path.startswith("\\\\?\\")
        drive, rest = ntpath.splitdrive(path.removeprefix("\\\\?\\"))
        if (long and "/" in path) or (not long and len(path) > 259):
            raise _refusal(errno.ENOENT, path)
        names = re.split(r"[/\\]", rest)
        if drive.lower() not in {"", "c:"} or any(re.search(r'[<>:"|?*\x00-\x1f]', name) for name in names):
            raise _refusal(errno.EINVAL, path)
        if not long and any(_RESERVED.fullmatch(name) or name.endswith((".", " ")) for name in names):
            message = f"Windows would take {path!r} for something else"
            raise AssertionError(message)
        return "/".join(names) if rest.startswith(("/", "\\")) else f"{os.getcwd()}/{'/'.join(names)}"

    def _found(self, path: str) -> str:
        """Return the path of what exists, whatever the case of its name."""
        if os.path.lexists(path):
            return path
        parent, name = os.path.split(path)
        if not name:
            return path
        parent, wanted = self._found(parent), self._folded(name)
        try:
            names = os.listdir(parent)
        except OSError:
            return f"{parent}/{name}"
        return f"{parent}/{next((each for each in names if self._folded(each) == wanted), name)}"

    def _folded(self, name: str) -> str:
        return (unicodedata.normalize("NFD", name) if self.is_macos else name).casefold()

    def seen(self, path: str) -> str:
        """Return the path as this system has it, of one of the system that the tests run on."""
        return path if self.is_macos else "C:" + path.replace("/", "\\")

    def _check_closed(self, path: str) -> None:
        for descriptor, (opened, identity, _) in [*self._opened.items()]:
            try:
                now = os.fstat(descriptor)
            except OSError:
                now = None
            if now is None or (now.st_dev, now.st_ino) != identity:
                self._opened.pop(descriptor, None)  # it was closed, which other threads may see as well
            elif opened == path or opened.startswith(f"{path}/"):
                raise _refusal(errno.EACCES, path)

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        found = self.real(self._from_directory(path, dir_fd))
        if os.path.isdir(found) and not self.is_macos:
            raise _refusal(errno.EACCES, path)
        descriptor = os.open(found, flags & ~_TEXT_IS_OFF, mode)
        status = os.fstat(descriptor)
        self._opened[descriptor] = found, (status.st_dev, status.st_ino), flags
        return descriptor

    def _from_directory(self, path: str, descriptor: int | None) -> str:
        if descriptor is None:
            return path
        assert self.is_macos
        return f"{self._opened[descriptor][0]}/{path}"

    def _flags(self, descriptor: int) -> int:
        return _TEXT_IS_OFF if self.is_macos else self._opened[descriptor][2]

    def read(self, descriptor: int, length: int) -> bytes:
        data = os.read(descriptor, length)
        return data if self._flags(descriptor) & _TEXT_IS_OFF else data.partition(b"\x1a")[0].replace(b"\r\n", b"\n")

    def write(self, descriptor: int, data: bytes) -> int:
        if self._flags(descriptor) & _TEXT_IS_OFF:
            return os.write(descriptor, data)
        os.write(descriptor, bytes(data).replace(b"\n", b"\r\n"))
        return len(data)

    def fsync(self, descriptor: int) -> None:
        if not self.is_macos and not self._flags(descriptor) & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        os.fsync(descriptor)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(self.real(path))

    def lstat(self, path: str) -> os.stat_result:
        return os.lstat(self.real(path))

    def getcwd(self) -> str:
        return self.seen(os.getcwd())

    def mkdir(self, path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        os.mkdir(self.real(self._from_directory(path, dir_fd)), mode)

    def makedirs(self, path: str, *, exist_ok: bool = False) -> None:
        os.makedirs(self.real(path), exist_ok=exist_ok)

    def rename(self, source: str, target: str) -> None:
        one, two = self.real(source), self.real(target)
        if not self.is_macos:
            self._check_closed(one)
            if os.path.lexists(one) and os.path.lexists(two) and one != two:
                raise _refusal(errno.EEXIST, target)
        os.rename(one, two)

    def replace(self, source: str, target: str) -> None:
        one, two = self.real(source), self.real(target)
        if not self.is_macos:
            self._check_closed(one)
            self._check_closed(two)
            if os.path.isdir(two):
                raise _refusal(errno.EACCES, target)
        os.replace(one, two)

    def unlink(self, path: str) -> None:
        found = self.real(path)
        if os.path.isdir(found) and not os.path.islink(found):
            raise _refusal(errno.EPERM if self.is_macos else errno.EACCES, path)
        if not self.is_macos:
            self._check_closed(found)
        os.unlink(found)

    def rmdir(self, path: str) -> None:
        os.rmdir(self.real(path))

    def link(self, source: str, target: str) -> None:
        if not self.has_links:
            raise _refusal(errno.ENOTSUP if self.is_macos else errno.EINVAL, target)
        os.link(self.real(source), self.real(target))

    def listdir(self, path: str) -> list[str]:
        with self.scandir(path) as entries:
            return [entry.name for entry in entries]

    @contextmanager
    def scandir(self, path: str) -> Iterator[Iterator[Entry]]:
        with os.scandir(self.real(path)) as entries:
            yield (Entry(self, entry, path) for entry in entries)


def _paths(system: System, pure: types.ModuleType) -> types.SimpleNamespace:
    """Return what `os.path` is: functions of text, and those that look at files."""
    text = ("basename", "commonpath", "dirname", "isabs", "join", "normcase", "normpath", "split", "splitdrive")

    def looking(function: Callable[[str], Any]) -> Callable[[str], Any]:
        def look(path: str) -> Any:
            try:
                return function(system.real(path))
            except OSError:
                return False

        return look

    def absolute(path: str) -> str:
        if not pure.isabs(path):
            path = pure.join(system.getcwd(), path)
        drive, rest = pure.splitdrive(path)
        return str(pure.normpath(path if drive or system.is_macos else f"C:{rest}"))

    def expanded(path: str) -> str:
        home = os.environ.get("HOME", "")
        return system.seen(home) + path[1:] if re.match(r"~(?![^/\\])", path) else path

    return types.SimpleNamespace(
        **{name: getattr(pure, name) for name in text},
        **{name: looking(getattr(os.path, name)) for name in ("exists", "isdir", "isfile", "islink", "lexists")},
        abspath=absolute,
        expanduser=expanded,
        realpath=lambda path: system.seen(os.path.realpath(system.real(path))),
        samestat=os.path.samestat,
    )


class Modules:
    """The modules of the file store, loaded for a system that is played."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.loaded: dict[str, types.ModuleType] = {}

    def get(self, name: str) -> types.ModuleType:
        if name not in self.loaded:
            spec = find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            module = self.loaded[name] = types.ModuleType(name)
            module.__file__, module.__spec__ = spec.origin, spec
            module.__path__ = [os.path.dirname(spec.origin)]
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
            with open(spec.origin, encoding="utf-8") as file:
                exec(compile(file.read(), spec.origin, "exec"), module.__dict__)
        return self.loaded[name]

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
        if name.startswith(PACKAGE):
            module = self.get(name)
            for each in fromlist or ():
                if not hasattr(module, each):
                    setattr(module, each, self.get(f"{name}.{each}"))
            return module
        if name == "fcntl" and not self._system.is_macos:
            raise ModuleNotFoundError(name)
        own = self._own().get(name)
        return builtins.__import__(name, globals, locals, fromlist, level) if own is None else own

    def _own(self) -> dict[str, Any]:
        system = self._system

        def lock(path: str, **options: Any) -> filelock.BaseFileLock:
            return filelock.FileLock(system.real(path), **options)

        def copyfile(source: str, target: str) -> None:
            shutil.copyfile(system.real(source), system.real(target))

        no_library = types.SimpleNamespace(CDLL=_no_library, c_int=None, c_char_p=None, c_uint=None)
        return {
            "os": system,
            "shutil": types.SimpleNamespace(copyfile=copyfile),
            "filelock": types.SimpleNamespace(FileLock=lock, Timeout=filelock.Timeout),
            "ctypes": no_library,
            "time": types.SimpleNamespace(sleep=system.pauses.append),
            "sys": types.SimpleNamespace(platform="darwin" if system.is_macos else "win32"),
        }


def _no_library(*_: object, **__: object) -> Any:
    message = "LoadLibrary() argument 1 must be str, not None"
    raise TypeError(message)


def play(
    kind: str, set_attribute: Callable[[Any, str, Any], object], set_item: Callable[[Any, str, Any], object]
) -> System:
    """Play a system in this process.

    Parameters
    ----------
    kind
        One of `SYSTEMS`.
    set_attribute, set_item
        `setattr` and `dict.__setitem__`, or those of a ``monkeypatch``, which undoes them.
    """
    system = System(kind)
    for name in KERNEL:
        set_attribute(importlib.import_module(name), "os", system)
    modules = Modules(system)
    package = modules.get(PACKAGE)
    modules.get(f"{PACKAGE}.store")
    for name, module in modules.loaded.items():
        set_item(sys.modules, name, module)
        if module is not package:
            setattr(package, name.rpartition(".")[2], module)
    return system
