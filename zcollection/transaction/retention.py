"""Which older versions of a collection stay readable."""

from collections.abc import Mapping, Sequence
from typing import Final, Self

from attrs import evolve, field, frozen, validators

_LAST: Final = 10**18
_NAME: Final = r"[A-Za-z][A-Za-z0-9._+-]{0,99}"
"""Names of tags: they can be confused neither with version numbers nor with times."""


def _is_version(_instance: object, _attribute: object, number: int | None) -> None:
    if number is not None and not (type(number) is int and 0 <= number < _LAST):
        message = f"{number!r} is not a version; accepted: an integer of at least 0"
        raise TypeError(message)


@frozen(kw_only=True)
class Retention:
    """Which older versions stay readable: recent ones, and those with a tag.

    A version that is None stands for the version that writes this retention.

    Attributes
    ----------
    versions
        Number of versions before the newest one that stay readable; None if that does not depend on their number.
    seconds
        How long a version stays readable after a newer one replaced it, in seconds; None if that does not depend on its
        age.
    since
        The oldest version that can be read without a tag, if versions other than the newest can be read.
    tags
        The tagged versions, by the name of the tag.
    """

    versions: int | None = field(default=None, validator=validators.optional(validators.in_(range(1, _LAST))))
    seconds: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    since: int | None = field(default=None, validator=_is_version)
    tags: dict[str, int | None] = field(
        factory=dict, validator=validators.deep_mapping(validators.matches_re(_NAME), _is_version)
    )

    @property
    def keeps(self) -> bool:
        """Whether partitions that a change replaces are kept: all of them, or those that a tagged version needs."""
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
        """Return the retention as the version `number` writes it: with that number in place of each None."""
        tags: dict[str, int | None] = {name: number if at is None else at for name, at in self.tags.items()}
        return evolve(self, since=number if self.since is None else self.since, tags=tags)

    def after_vacuum(self, replaced: Sequence[float], newest: int, now: float) -> Self:
        """Return the retention without the versions that are too old to be kept.

        Parameters
        ----------
        replaced
            When each version from `since` on was replaced, in seconds since 1970; without the newest version.
        newest
            The newest version.
        now
            The current time, in seconds since 1970.
        """
        since = newest if self.since is None else self.since
        if self.versions is not None:
            return evolve(self, since=max(since, newest - self.versions))
        if self.seconds is None:
            return evolve(self, since=newest)
        limit = now - self.seconds
        old = next((at for at, time in enumerate(replaced) if time > limit), len(replaced))
        return evolve(self, since=min(since + old, newest))


def needed(lifetimes: Mapping[str, Sequence[tuple[int, int]]], retention: Retention) -> set[str]:
    """Return the names of the objects that at least one readable version needs.

    Parameters
    ----------
    lifetimes
        The spans of versions (first, last) that contain each object, by name.
    retention
        Which versions can be read.
    """
    tagged = sorted(retention.tagged.values())
    since = _LAST if retention.since is None or not retention.keeps_recent else retention.since

    def is_needed(first: int, last: int) -> bool:
        return last >= since or any(first <= number <= last for number in tagged)

    return {name for name, spans in lifetimes.items() if any(is_needed(*span) for span in spans)}
