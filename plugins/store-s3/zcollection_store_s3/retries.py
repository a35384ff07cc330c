"""Requests sent again: after a moment that grows, with jitter, and not for ever."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from attrs import frozen
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from zcollection.plugin import Created
from zcollection_store_s3.driver import Answer, RequestError

T = TypeVar("T")

_FIRST: Final = 0.1
_LONGEST: Final = 10.0


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
        answer = await request()
        if answer != "unknown" or not self.limit:
            return answer

        async def ask_again() -> Answer:
            again = await request()
            if again == "unknown":
                raise RequestError.of_connection("the answer was lost")
            return again

        try:
            return "created" if await self._retrying()(ask_again) == "created" else "unknown"
        except RequestError as failure:
            if not failure.again:
                raise
        return "unknown"

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, RequestError) and error.again),
            stop=stop_after_attempt(self.limit),
            wait=wait_random_exponential(multiplier=_FIRST, max=_LONGEST),
            reraise=True,
        )
