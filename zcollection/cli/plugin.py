"""What a distribution that adds a verb to the command line may use: the options that all verbs share, and what writes results.

A verb is a function with Typer's annotations, named by an entry point of the group ``zcollection.commands``::

    [project.entry-points."zcollection.commands"]
    shape = "zcollection_shape.command:shape"

Examples
--------
>>> from zcollection.cli.plugin import URL, AsJson, StorageOptions, open_to_read, write_json, write_lines
>>> def shape(url: URL, *, storage_option: StorageOptions = None, as_json: AsJson = False) -> None:
...     '''Show how many partitions and rows there are.'''
...     records = open_to_read(url, storage_option).records()
...     found = {"partitions": len(records), "rows": sum(record.rows for record in records.values())}
...     if as_json:
...         write_json(found)
...     else:
...         write_lines([f"{name}  {count:,}" for name, count in found.items()])
"""

from zcollection.cli.copying import TargetOptions
from zcollection.cli.opening import (
    URL,
    AsJson,
    Base,
    BaseOptions,
    Filter,
    StorageOptions,
    Variables,
    Where,
    names_of,
    open_source,
    open_to_read,
    open_to_write,
    options_of,
)
from zcollection.cli.output import Node, write_json, write_lines, write_table, write_tree

__all__ = [
    "URL",
    "AsJson",
    "Base",
    "BaseOptions",
    "Filter",
    "Node",
    "StorageOptions",
    "TargetOptions",
    "Variables",
    "Where",
    "names_of",
    "open_source",
    "open_to_read",
    "open_to_write",
    "options_of",
    "write_json",
    "write_lines",
    "write_table",
    "write_tree",
]
