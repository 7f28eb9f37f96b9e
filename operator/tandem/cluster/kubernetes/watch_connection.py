"""The way to an API server for a watch: events line by line, as long as the stream lives."""

import json
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any

import aiohttp

from tandem.cluster.kubernetes.api_error import api_error
from tandem.cluster.kubernetes.connection import Connection, json_object
from tandem.cluster.kubernetes.request import Request

_CONNECT_S = 10.0


class WatchConnection(Connection):
    """A connection that also streams; credentials are read again by its plain requests."""

    async def events(
        self, request: Request, silence_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a watch until the server ends it.

        Raises:
            ApiError: the server refuses the watch.
            OSError: the stream broke, or brought nothing for `silence_s`.
            ValueError: a line that is no JSON object, or has no end.

        """
        prepared = await self._client.param_serialize(
            request.method,
            request.path,
            query_params=list(request.query.items()),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_S, sock_read=silence_s)
        try:
            response = await self._client.call_api(*prepared, _request_timeout=timeout)
            async with response.response as answer:
                if answer.status != HTTPStatus.OK:
                    raise api_error("WATCH pods", answer.status, json_object(await answer.read()))
                async for line in answer.content:
                    yield _event(line)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error


def _event(line: bytes) -> dict[str, Any]:
    event = json.loads(line)
    if not isinstance(event, dict):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - said as the parser does
    return event
