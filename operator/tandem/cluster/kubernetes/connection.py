"""The way to a real API server: `kubernetes.aio` on plain dicts.

The library is imported when the first connection is made: it takes a second.
"""

import json
import os
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from tandem.cluster.kubernetes.request import Answer, Request
from tandem.errors import TandemError

_SERVICE_HOST = "KUBERNETES_SERVICE_HOST"


class Connection:
    """Requests as whom the pod's service account or the kubeconfig says.

    Tokens of a service account are read again each minute. Whatever else has expired (a token of a
    plugin, a client certificate) is read again when the server answers 401.
    """

    def __init__(self, client: Any) -> None:
        self._client = client  # kubernetes.aio's; it has no types

    @classmethod
    async def open(cls) -> Self:
        """A connection in the cluster, or by $KUBECONFIG or ~/.kube/config."""
        return cls(await _client())

    async def send(self, request: Request, timeout_s: float) -> Answer:
        """The answer, whatever its status; OSError where none came."""
        answer = await self._send(request, timeout_s)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        old, self._client = self._client, await _client()
        await old.close()
        return await self._send(request, timeout_s)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _send(self, request: Request, timeout_s: float) -> Answer:
        prepared = await self._client.param_serialize(
            request.method,
            request.path,
            query_params=list(request.query.items()),
            header_params={"Accept": "application/json", "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            response = await self._client.call_api(*prepared, _request_timeout=timeout)
            text = await response.read()
        except aiohttp.ClientConnectorError as error:
            raise ConnectionRefusedError(str(error)) from error
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        return Answer(response.status, json_object(text), _seconds(response.headers))


def default_namespace() -> str:
    """Of the kubeconfig's current context, as kubectl has it; `default` where none is named."""
    from kubernetes.aio import config as its_config  # noqa: PLC0415 - takes a second

    config: Any = its_config
    try:
        _, current = config.list_kube_config_contexts()
    except config.ConfigException:
        return "default"
    return str((current.get("context") or {}).get("namespace") or "default")


async def _client() -> Any:
    """A client that has read its credentials now."""
    from kubernetes.aio.client import ApiClient, Configuration  # noqa: PLC0415 - takes a second

    configuration: Any = Configuration()
    await _log_in(configuration)
    client: Any = ApiClient(configuration)
    client.user_agent = "tandem"
    return client


async def _log_in(configuration: Any) -> None:
    from kubernetes.aio import config as its_config  # noqa: PLC0415

    config: Any = its_config  # it has no types
    try:
        if os.environ.get(_SERVICE_HOST) and not os.environ.get("KUBECONFIG"):
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(client_configuration=configuration, persist_config=False)
    except config.ConfigException as error:
        tried = "a pod's service account, $KUBECONFIG and ~/.kube/config were looked for"
        raise TandemError(f"no way to a cluster: {error} ({tried})") from error


def json_object(text: bytes) -> dict[str, Any]:
    """The JSON object of an answer; what is none becomes the message of one."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"message": text.decode(errors="replace")}


def _seconds(headers: Any) -> float:
    """Retry-After in seconds; the API server sends no dates."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0
