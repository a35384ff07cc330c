"""Google credentials, from the options or the environment; expired tokens are renewed on a thread."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import google.auth
import requests
from anyio import to_thread
from attrs import define, field
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, MalformedError, TransportError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials as Token
from zcollection_store_object.driver import RequestError

from zcollection_store_gs import causes
from zcollection_store_gs.options import Options

_SCOPES: Final = ("https://www.googleapis.com/auth/devstorage.read_write",)
_TOKEN: Final[Any] = Token  # its methods have no types
_KEY: Final[Any] = service_account.Credentials


@define
class Credentials:
    """Credentials that are obtained when a request first needs them.

    Attributes
    ----------
    find
        A function that returns credentials of google-auth; it may send requests.
    """

    find: Callable[[], Any] = field(repr=False)
    _found: list[Any] = field(factory=list, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    async def headers(self) -> dict[str, str]:
        """Return the headers that authorise a request.

        Raises
        ------
        RequestError
            There are no credentials, or Google issues no token for them.
        """
        if not self._found or not self._found[0].valid:
            await to_thread.run_sync(self._renew)
        headers: dict[str, str] = {}
        self._found[0].apply(headers)
        return headers

    def _renew(self) -> None:
        """Obtain a token. The failure is raised outside the handler: the library's exception may contain the server's answer."""
        try:
            with self._lock, requests.Session() as session:
                self._found = self._found or [self.find()]
                if not self._found[0].valid:
                    self._found[0].refresh(Request(session))
        except (MalformedError, OSError, ValueError):
            failure = RequestError(cause=causes.UNREADABLE)
        except TransportError:
            failure = RequestError.of_connection("Google's token server does not answer")
        except DefaultCredentialsError:
            failure = RequestError(cause=causes.NO_CREDENTIALS)
        except GoogleAuthError as error:
            failure = RequestError(cause=causes.NOT_ISSUED, is_temporary=bool(getattr(error, "retryable", False)))
        else:
            return
        raise failure


def credentials_of(options: Options, *, is_emulator: bool) -> Credentials:
    """Return the credentials in the options, or those of the environment.

    Parameters
    ----------
    options
        The options.
    is_emulator
        Whether the environment names an emulator; requests to it have no credentials, as in Google's own clients.
    """
    if options.service_account is not None:
        path = Path(options.service_account).expanduser()
        return Credentials(lambda: _of_key(path.read_text(encoding="utf-8")))
    if options.service_account_key is not None:
        text = options.service_account_key
        return Credentials(lambda: _of_key(text))
    if options.token is not None:
        token = options.token
        return Credentials(lambda: _TOKEN(token=token))
    if options.anon or is_emulator:
        return Credentials(AnonymousCredentials)
    return Credentials(lambda: google.auth.default(scopes=_SCOPES)[0])


def _of_key(text: str) -> Any:
    return _KEY.from_service_account_info(json.loads(text), scopes=_SCOPES)
