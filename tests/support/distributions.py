"""Distributions made up on disk, as the package installer would leave them."""

import itertools
from importlib.metadata import Distribution

_NUMBERS = itertools.count()
PARTITIONING = """
from attrs import frozen
from zcollection.plugin import Field, Partitioning

@frozen
class {name}(Partitioning):
    variables: tuple[str, ...] = ("time",)
    dimension: str | None = None

    @property
    def fields(self):
        return (Field("part"),)

    def keys(self, columns):
        return {{"part": columns["time"]}}
"""


class Site:
    """A folder of installed packages, on the import path for one test."""

    def __init__(self, folder):
        self.folder = folder

    def install(self, name, entry_points, source, *, version="1.0", **modules):
        """Install a distribution whose module is `source`; other modules may be given by name."""
        module = f"plugin_of_tests_{next(_NUMBERS)}"
        (self.folder / f"{module}.py").write_text(source.replace("MODULE", module))
        for other, text in modules.items():
            (self.folder / f"{module}_{other}.py").write_text(text)
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{entry_point} = {module}" for entry_point in entry_points]
        (info / "entry_points.txt").write_text("\n".join(["[zcollection]", *lines]))
        return module

    @property
    def entry_points(self):
        """Every entry point installed here."""
        return [
            entry_point
            for distribution in Distribution.discover(path=[str(self.folder)])
            for entry_point in distribution.entry_points
            if entry_point.group == "zcollection"
        ]


def hook(family, *provided):
    """The source of a module that implements one hook."""
    lines = [f"    yield {item}" for item in provided]
    return "\n".join(
        ["from zcollection.plugin import Provides, hookimpl", "@hookimpl", f"def zcollection_{family}():", *lines, ""]
    )
