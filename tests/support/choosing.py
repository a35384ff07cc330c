"""Keys, and those of them that a filter chooses."""

from zcollection.collection.filters import compile_filter
from zcollection.plugin import Key

FIELDS = ["year", "month"]
KEYS = [Key(year=year, month=month) for year in (2023, 2024) for month in range(1, 13)]


def chosen(filters, fields=FIELDS, keys=KEYS):
    select = compile_filter(filters, fields)
    return [keys[at] for at in select({name: [key[name] for key in keys] for name in fields})]
