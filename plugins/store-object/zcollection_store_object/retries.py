"""Retries of requests: a limited number, after pauses that grow, with jitter."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from attrs import frozen
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from zcollection.plugin import Created
from zcollection_store_object.driver import Answer, RequestError

T = TypeVar("T")

_FIRST: Final = 0.1
_LONGEST: Final = 10.0
_FEW: Final = 4
"""The largest number of retries if the cause rarely disappears within seconds; together they take less than a second."""


@frozen
class Retries:
    """The retries of requests after temporary failures.

    Attributes
    ----------
    limit
        The largest number of retries.
    """

    limit: int

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a request, which is repeated after temporary failures.

        Raises
        ------
        RequestError
            The failure is not temporary, or the last attempt failed.
        """
        try:
            return await request()
        except RequestError as failure:
            if not failure.is_temporary or not self.limit:
                raise

        async def send_again() -> T:  # tenacity awaits nothing but the result of an `async def`
            return await request()

        return await self._retrying()(send_again)

    async def create(self, request: Callable[[], Awaitable[Answer]]) -> Created:
        """Return the result of a request that creates an object.

        After a lost answer, "exists" is reported as "unknown": the existing object may be the one that this request wrote.
        """
        is_lost = False

        async def attempt() -> Answer:
            nonlocal is_lost
            try:
                answer = await request()
            except RequestError as failure:
                is_lost = is_lost or failure.is_temporary
                raise
            if answer == "unknown":
                is_lost = True
                raise RequestError.of_connection("the answer was lost")
            return answer

        try:
            answer = await self.call(attempt)
        except RequestError as failure:
            if not failure.is_temporary:
                raise
            return "unknown"
        return "created" if answer == "created" else "unknown" if is_lost else answer

    def _is_enough(self, state: RetryCallState) -> bool:
        failure = state.outcome and state.outcome.exception()
        is_lasting = isinstance(failure, RequestError) and failure.cause.is_lasting
        return state.attempt_number >= (min(self.limit, _FEW) if is_lasting else self.limit)

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, RequestError) and error.is_temporary),
            stop=self._is_enough,
            wait=wait_random_exponential(multiplier=_FIRST, max=_LONGEST),
            reraise=True,
        )
