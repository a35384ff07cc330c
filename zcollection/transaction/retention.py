"""Which older versions of a collection stay readable."""

from collections.abc import Mapping, Sequence
from typing import Final, Self

from attrs import evolve, field, frozen, validators

_LAST: Final = 10**18
_NAME: Final = r"[A-Za-z][A-Za-z0-9._+-]{0,99}"
"""Names of tags: neither numbers nor times, which say a version otherwise."""


def _is_version(_instance: object, _attribute: object, number: int | None) -> None:
    if number is not None and not (type(number) is int and 0 <= number < _LAST):
        message = f"{number!r} is no version; accepted: a whole number"
        raise TypeError(message)


@frozen(kw_only=True)
class Retention:
    """Which older versions stay readable: those before the newest that are recent enough, and those that have a tag.

    A version that is None is that of the change which writes it.

    Attributes
    ----------
    versions
        How many versions before the newest one; None where they are not counted.
    seconds
        How long a version stays after a newer one took its place; None where that does not matter.
    since
        The oldest version that can be read without a tag, where others than the newest can be.
    tags
        Versions by the names that they were given.
    """

    versions: int | None = field(default=None, validator=validators.optional(validators.in_(range(1, _LAST))))
    seconds: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    since: int | None = field(default=None, validator=_is_version)
    tags: dict[str, int | None] = field(
        factory=dict, validator=validators.deep_mapping(validators.matches_re(_NAME), _is_version)
    )

    @property
    def keeps(self) -> bool:
        """Whether what a change replaces is kept: all of it, or what a version with a tag needs."""
        return bool(self.versions or self.seconds or self.tags)

    @property
    def keeps_recent(self) -> bool:
        """Whether older versions without a tag stay readable."""
        return bool(self.versions or self.seconds)

    @property
    def tagged(self) -> dict[str, int]:
        """The tags whose versions are known."""
        return {name: number for name, number in self.tags.items() if number is not None}

    def has(self, number: int) -> bool:
        """Return whether an older version can be read."""
        return (self.keeps_recent and self.since is not None and number >= self.since) or number in self.tagged.values()

    def written_by(self, number: int) -> Self:
        """Return it as a version writes it."""
        tags: dict[str, int | None] = {name: number if at is None else at for name, at in self.tags.items()}
        return evolve(self, since=number if self.since is None else self.since, tags=tags)

    def after_vacuum(self, replaced: Sequence[float], newest: int, now: float) -> Self:
        """Return it after versions that are too old were forgotten.

        Parameters
        ----------
        replaced
            When each version from `since` on was replaced, in seconds since 1970; the newest was not.
        newest
            The newest version.
        now
            The time.
        """
        since = newest if self.since is None else self.since
        if self.versions is not None:
            return evolve(self, since=max(since, newest - self.versions))
        if self.seconds is None:
            return evolve(self, since=newest)
        limit = now - self.seconds
        old = next((at for at, time in enumerate(replaced) if time > limit), len(replaced))
        return evolve(self, since=min(since + old, newest))


def needed(lives: Mapping[str, Sequence[tuple[int, int]]], retention: Retention) -> set[str]:
    """Return what some version that can be read needs.

    Parameters
    ----------
    lives
        By name, the first and the last versions that have had it.
    retention
        Which versions can be read.
    """
    wanted = sorted(retention.tagged.values())
    since = _LAST if retention.since is None or not retention.keeps_recent else retention.since

    def is_needed(first: int, last: int) -> bool:
        return last >= since or any(first <= number <= last for number in wanted)

    return {name for name, spans in lives.items() if any(is_needed(*span) for span in spans)}
