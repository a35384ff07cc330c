"""What would survive a power cut, worked out from a log of system calls: what was changed, and not synchronised since."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from attrs import Factory, define

CALLS = (
    "openat,write,pwrite64,sendfile,copy_file_range,mkdir,mkdirat,rename,renameat2,link,linkat,unlink,unlinkat,rmdir,fsync,"
    "fdatasync"
)
_LINE = re.compile(r"\d+ +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<answer>\S+)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
_NAMELESS = re.compile(r"O_TMPFILE.* = (?P<number>\d+)<(?P<path>[^>]*)>")
_COMMIT = re.compile(r"_transactions/log/\d{20}\.(json|ok)")


@define
class Disk:
    """The names and files that were changed and not synchronised since.

    Attributes
    ----------
    root
        Of the collection.
    written
        Files whose bytes are not on the disk.
    made, lost
        Names that are not on the disk, and names that are still there.
    synchronised
        Every path that ever was.
    nameless
        What files without a name are called in the log, by the name under which they are linked.
    """

    root: Path
    written: set[str] = Factory(set)
    made: set[str] = Factory(set)
    lost: set[str] = Factory(set)
    touched: set[str] = Factory(set)
    synchronised: set[str] = Factory(set)
    nameless: dict[str, str] = Factory(dict)

    def read(self, log: Path) -> Iterator[tuple[str, list[str]]]:
        """Follow a log, and yield each record and mark when it takes its name, with what is not on the disk then."""
        for line in log.read_text().splitlines():
            match = _LINE.match(line)
            if match is None or match["answer"] == "-1":
                continue
            texts = _TEXT.findall(match["arguments"])
            if nameless := _NAMELESS.search(line):
                self.nameless[f"/proc/self/fd/{nameless['number']}"] = nameless["path"]
                continue
            texts = [self.nameless.get(text, text) for text in texts]
            if match["call"] == "openat" and "O_CREAT" in match["arguments"]:
                # An empty file, such as a mark, is made under its own name.
                path = str(Path(*_DESCRIPTOR.findall(match["arguments"])[:1], texts[0]))
                if _COMMIT.fullmatch(path.removeprefix(f"{self.root}/")):
                    yield path, self._missing(path, staged_too=path.endswith(".json"))
            committed = [text for text in texts[1:] if _COMMIT.fullmatch(text.removeprefix(f"{self.root}/"))]
            if committed and match["call"] in {"link", "linkat", "rename", "renameat2"}:
                yield committed[0], self._missing(texts[0], staged_too=committed[0].endswith(".json"))
            self._follow(match["call"], texts, match["arguments"])

    def _missing(self, nameless: str, *, staged_too: bool) -> list[str]:
        """Return what a power cut would take; what was staged matters until it lies in its place."""
        stage = f"{self.root}/_transactions/stage/"

        def matters(path: str) -> bool:
            return staged_too or not path.startswith(stage)

        ways = {str(way) for path in self.touched - {nameless} if matters(path) for way in Path(path).parents}
        ways = {way for way in ways - self.synchronised if Path(way).is_relative_to(self.root.parent)}
        missing = [f"{path} is not on the disk" for path in filter(matters, {*self.written, *self.made - {nameless}})]
        missing += [f"{path} is still there on the disk" for path in self.lost]
        return sorted(missing + [f"{way} was never synchronised" for way in ways])

    def _follow(self, call: str, texts: list[str], arguments: str) -> None:
        paths = _DESCRIPTOR.findall(arguments)
        if call in {"write", "pwrite64", "sendfile", "copy_file_range"}:
            path = paths[-1 if call == "copy_file_range" else 0] if paths else ""
            if path.startswith(f"{self.root}/"):
                self.written.add(path)
        elif call in {"fsync", "fdatasync"}:
            self._synchronise(paths[0])
        elif (call == "openat" and "O_CREAT" in arguments) or call in {"mkdir", "mkdirat"}:
            self._make(str(Path(*paths[:1], texts[0])))  # an absolute path begins at no descriptor
        elif call in {"link", "linkat"}:
            self._make(texts[1])
            self.written |= {texts[1]} if texts[0] in self.written else set()
        elif call in {"rename", "renameat2"}:
            self._rename(*texts, exchanged="RENAME_EXCHANGE" in arguments)
        elif call in {"unlink", "rmdir"}:
            self._forget(texts[0])

    _LOCK: ClassVar = "_transactions/lock"

    def _make(self, path: str) -> None:
        if path.startswith(f"{self.root}/") and path != f"{self.root}/{self._LOCK}":
            self.made.add(path)
            self.touched.add(path)

    def _rename(self, source: str, target: str, *, exchanged: bool) -> None:
        if exchanged:
            self.made |= {source, target}
            return
        for paths in (self.written, self.made):
            moved = {path for path in paths if path == source or path.startswith(f"{source}/")}
            paths.difference_update(moved)
            paths.update(target + path.removeprefix(source) for path in moved)
        self._make(target)
        if ".zcollection-" not in source:  # a temporary name that comes back is passed over
            self.lost.add(source)

    def _forget(self, path: str) -> None:
        """What is removed need not be on the disk, and nobody minds if it comes back."""
        for paths in (self.written, self.made, self.touched):
            paths.discard(path)

    def _synchronise(self, path: str) -> None:
        self.synchronised.add(path)
        self.written.discard(path)
        for paths in (self.made, self.lost):
            paths.difference_update([name for name in paths if name.rpartition("/")[0] == path])
