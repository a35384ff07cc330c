"""``zcollection info``: what a collection is, and how much is in it."""

from typing import Any

from zcollection.cli.describe import axis_limits, limits_in_words, partitioning
from zcollection.cli.opening import URL, AsJson, StorageOptions, open_to_read
from zcollection.cli.output import write_json, write_lines
from zcollection.collection.collection import Collection
from zcollection.model.texts import format_bytes


def info(url: URL, *, storage_option: StorageOptions = None, as_json: AsJson = False) -> None:
    """Show the axis, the partitioning, and how much a collection holds."""
    facts = facts_of(open_to_read(url, storage_option))
    if as_json:
        write_json(facts)
    else:
        shown = _in_words(facts)
        width = max(map(len, shown))
        write_lines([f"{name:<{width}}  {value}".rstrip() for name, value in shown.items()])


def facts_of(collection: Collection) -> dict[str, Any]:
    """Return what there is to say of a collection, as JSON."""
    form, records = partitioning(collection), collection.records()
    return {
        "url": str(collection.store.url),
        "axis": collection.axis,
        "dimension": collection.dimension,
        "partitioning": {"name": form.name, "configuration": form.configuration, "provided_by": form.provided_by},
        "catalog": collection.catalog_enabled,
        "variables": len(collection.schema.all_variables()),
        "partitions": len(records),
        "rows": sum(record.rows for record in records.values()),
        "stored_bytes": sum(record.stored_bytes for record in records.values()),
        "axis_range": axis_limits(collection, records.values()),
    }


def _in_words(facts: dict[str, Any]) -> dict[str, str]:
    form, size = facts["partitioning"], facts["stored_bytes"]
    settings = ", ".join(f"{name}={value!r}" for name, value in form["configuration"].items())
    return {
        "url": facts["url"],
        "axis": facts["axis"],
        "dimension": facts["dimension"],
        "partitioning": f"{form['name']}({settings})",
        "catalog": "on" if facts["catalog"] else "off",
        "variables": str(facts["variables"]),
        "partitions": f"{facts['partitions']:,}",
        "rows": f"{facts['rows']:,}",
        "stored": f"{format_bytes(size)} ({size:,} bytes)",
        "range": limits_in_words(facts["axis_range"]) or "unknown",
    }
