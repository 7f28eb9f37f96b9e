"""One question to a Prometheus server over HTTP: rows, or a sentence on what to mend.

prometheus-api-client is synchronous: call `ask` in a thread.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from tandem.planner.observation import Missing

_SHOWN = 160  # letters of a server's own words
_PARAMETERS = {  # of the servers that know them; Prometheus itself skips the last two
    "timeout": "5s",
    "partial_response": "false",  # Thanos: half of the series is worse than none
    "dedup": "true",
}
_HINTS: Mapping[int, str] = {
    400: "it does not take the query: is it older than Prometheus 2.14?",
    401: "it wants a token: set metrics.prometheus.tokenFile to one that it takes",
    403: "the token may not query: grant its owner access to the query API",
    404: "there is no query API: is metrics.prometheus.url the root, without /api/v1 or /graph?",
    405: "it takes no POST to its query API: is a proxy in between?",
    422: "it could not run the query: do two targets have the same namespace and pod labels?",
    429: "it has too many queries: raise its limit, or give the operator its own",
    503: "it is starting, or its queries take too long",
}


class TokenError(OSError):
    """The file that should hold the token can't be read."""


class _Bearer(AuthBase):
    """Puts the token into each request as its file has it then: tokens are rotated."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            token = self._file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise TokenError(f"the token file {self._file} can't be read: {why}") from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request


class Connection:
    """A server's query API; `timeout_s` is for the connection and for each silence after it."""

    def __init__(self, url: str, token_file: str | Path | None, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        if token_file is not None:
            self._session.auth = _Bearer(Path(token_file))
        self._client: PrometheusConnect | None = None

    def ask(self, query: str) -> Sequence[Mapping[str, Any]] | Missing:
        """Rows of the answer; blocks."""
        try:
            rows: Sequence[Mapping[str, Any]] = self._connected().custom_query(
                query, dict(_PARAMETERS), timeout=self._timeout_s
            )
        except TokenError as error:
            return Missing(str(error))
        except PrometheusApiClientException as error:
            return Missing(f"Prometheus at {self.url} answered {_status(str(error))}")
        except requests.Timeout:
            return Missing(f"Prometheus at {self.url} did not answer within {self._timeout_s:g} s")
        except (requests.JSONDecodeError, LookupError, TypeError, RecursionError):
            return Missing(not_understood(self.url))
        except (requests.RequestException, OSError, ValueError) as error:
            return Missing(f"Prometheus at {self.url} can't be reached: {_cause(error)}")
        return rows

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _connected(self) -> PrometheusConnect:
        """The client, made at the first question: some addresses it refuses with ValueError."""
        if self._client is None:
            self._client = PrometheusConnect(
                self.url,
                session=self._session,
                method="POST",
                retry=Retry(0),  # the next tick is the retry
            )
        return self._client


def not_understood(url: str) -> str:
    """What is said of an answer that is no instant vector."""
    return (
        f"Prometheus at {url} answered something other than an instant vector:"
        " does metrics.prometheus.url lead to a login page or to another program?"
    )


def _status(told: str) -> str:
    """`503 Service Unavailable: what to do (the server's own words)`."""
    found = re.match(r"HTTP Status Code (\d+) \(b?['\"]?(.*?)['\"]?\)$", told, re.DOTALL)
    if found is None:
        return told[:_SHOWN]
    code, words = int(found[1]), found[2].strip()[:_SHOWN]
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "no known status"
    hint = _HINTS.get(code, "look into its log")
    return f"{code} {phrase}: {hint}" + (f" ({words})" if words else "")


def _cause(error: BaseException) -> str:
    """The innermost reason: clients wrap it several times."""
    deepest: BaseException = error
    while deepest.args and isinstance(inner := _inner(deepest), BaseException):
        deepest = inner
    return (str(deepest) or type(deepest).__name__)[:_SHOWN]


def _inner(error: BaseException) -> object:
    return getattr(error, "reason", None) or error.args[-1]
