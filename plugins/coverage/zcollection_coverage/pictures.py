"""Coverage as text: a line per month (by date) or per cycle (by cycle and pass), else a bar per partition."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from zcollection.plugin import Key
from zcollection_coverage.coverage import Coverage
from zcollection_coverage.records import PartCoverage
from zcollection_coverage.words import percent

_SHADES: Final = "·░▒▓█"
"""The characters from an absent partition to a complete one."""

_WIDTH: Final = 20
_MOST: Final = 60


def picture(found: Coverage) -> list[str]:
    """Return lines of text that show the share of each partition; a dot is an absent partition.

    Examples
    --------
    >>> shade(None), shade(0.0), shade(0.4), shade(0.999), shade(1.0)
    ('·', '░', '▒', '▓', '█')
    """
    if len(found.partitions) < 2:
        return []
    shares = {part.key: part.share for part in found.partitions}
    keys = sorted([*shares, *found.absent])
    names = list(keys[0])
    if len(names) > 1 and not any(isinstance(value, str) for value in keys[0].values()):
        return ["", *_lines(keys, shares, names), _legend()]
    parts = found.partitions[-_MOST:]
    return ["", *_bars(parts)]


def shade(share: float | None) -> str:
    """Return the character of a share; only a complete share gets the last character."""
    if share is None:
        return _SHADES[0]
    return _SHADES[-1] if share >= 1 else _SHADES[1 + int(share * (len(_SHADES) - 2))]


def _lines(keys: Sequence[Key], shares: dict[Key, float | None], names: Sequence[str]) -> Iterator[str]:
    """Yield a line for each combination of all fields except the last, which is the position in the line."""
    *outer, inner = names
    columns = sorted({key[inner] for key in keys})
    place = {value: number for number, value in enumerate(columns)}
    lines = [(label, list(group)) for label, group in groupby(keys, key=lambda key: tuple(key[name] for name in outer))]
    if len(lines) > _MOST:
        yield f"… {len(lines) - _MOST:,} lines before"
    labels = ["-".join(f"{value:02d}" for value in label) for label, _ in lines[-_MOST:]]
    width = max(map(len, labels))
    yield f"{' ' * width}  {inner} {columns[0]} to {columns[-1]}"
    for text, (_, group) in zip(labels, lines[-_MOST:], strict=True):
        cells = [" "] * len(columns)
        for key in group:
            cells[place[key[inner]]] = shade(_known(shares, key))
        yield f"{text:>{width}}  {''.join(cells)}".rstrip()


def _known(shares: dict[Key, float | None], key: Key) -> float | None:
    """Return the share of a partition, 1 if the expected number is unknown; None for an absent partition."""
    if key not in shares:
        return None
    share = shares[key]
    return 1.0 if share is None else share


def _bars(parts: Sequence[PartCoverage]) -> Iterator[str]:
    width = max(len(part.path) for part in parts)
    for part in parts:
        share = part.share or 0.0
        filled = int(share * _WIDTH)
        yield f"{part.path:<{width}}  {'█' * filled}{'░' * (_WIDTH - filled)}  {percent(share)}"


def _legend() -> str:
    return f"{_SHADES[0]} absent   {_SHADES[1]}{_SHADES[2]}{_SHADES[3]} in part   {_SHADES[4]} all"
