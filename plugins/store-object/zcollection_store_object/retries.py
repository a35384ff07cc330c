"""Requests sent again: after a moment that grows, with jitter, and not for ever."""

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
"""How often a request is sent again where what is wrong hardly passes in a moment: for less than a second."""


@frozen
class Retries:
    """How often a request is sent.

    Attributes
    ----------
    limit
        How often it is sent again.
    """

    limit: int

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a request, sent again while it fails in a way that may pass.

        Raises
        ------
        RequestError
            The last one.
        """
        try:
            return await request()
        except RequestError as failure:
            if not failure.again or not self.limit:
                raise

        async def send_again() -> T:  # tenacity awaits nothing but the result of an `async def`
            return await request()

        return await self._retrying()(send_again)

    async def create(self, request: Callable[[], Awaitable[Answer]]) -> Created:
        """Return what came of creating an object.

        Once an answer was lost, "exists" may mean the object that was written then: nobody can tell, and that is said.
        """
        is_lost = False

        async def ask() -> Answer:
            nonlocal is_lost
            try:
                answer = await request()
            except RequestError as failure:
                is_lost = is_lost or failure.again
                raise
            if answer == "unknown":
                is_lost = True
                raise RequestError.of_connection("the answer was lost")
            return answer

        try:
            answer = await self.call(ask)
        except RequestError as failure:
            if not failure.again:
                raise
            return "unknown"
        return "created" if answer == "created" else "unknown" if is_lost else answer

    def _is_enough(self, state: RetryCallState) -> bool:
        failure = state.outcome and state.outcome.exception()
        lasts = isinstance(failure, RequestError) and failure.cause.lasting
        return state.attempt_number >= (min(self.limit, _FEW) if lasts else self.limit)

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, RequestError) and error.again),
            stop=self._is_enough,
            wait=wait_random_exponential(multiplier=_FIRST, max=_LONGEST),
            reraise=True,
        )
