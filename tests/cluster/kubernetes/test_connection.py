"""The real client against a small HTTP server."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from tandem.cluster.kubernetes.api import CONFIG_MAP, DEPLOYMENT, KubernetesApi
from tandem.cluster.kubernetes.connection import Connection, default_namespace
from tandem.cluster.kubernetes.request import Request

PATH = "/api/v1/namespaces/prod/configmaps/m"


@dataclass
class Server:
    """Notes each request and answers what it is told to."""

    url: str = ""
    answer: Callable[[web.Request], web.Response] = lambda _: web.json_response({})
    headers: list[dict[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        self.lines.append(f"{request.method} {request.path_qs}")
        self.bodies.append(await request.text())
        return self.answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server, app = Server(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
def write_kubeconfig(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Write the kubeconfig anew with a token."""
    path = tmp_path / "kubeconfig"
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", f"{path}")
    monkeypatch.setenv("KUBECONFIG", f"{path}")

    def write(token: str) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        path.write_text(json.dumps(config))

    return write


@pytest.fixture
async def connection(
    write_kubeconfig: Callable[[str], None],
) -> AsyncIterator[Connection]:
    write_kubeconfig("first")
    connection = await Connection.open()
    yield connection
    await connection.close()


async def test_an_apply_is_sent_as_the_api_server_wants_it(
    server: Server, connection: Connection
) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap"}
    metadata = {"name": "m", "namespace": "prod"}
    await KubernetesApi(connection).apply(body | {"metadata": metadata, "data": {}})
    assert server.lines == [f"PATCH {PATH}?fieldManager=tandem&force=true"]
    assert server.headers[0]["Content-Type"] == "application/apply-patch+yaml"
    assert server.headers[0]["Authorization"] == "Bearer first"
    assert json.loads(server.bodies[0]) == body | {"metadata": metadata, "data": {}}


async def test_a_merge_patch_keeps_its_nulls_and_a_scale_its_version(
    server: Server, connection: Connection
) -> None:
    api = KubernetesApi(connection)
    await api.merge(CONFIG_MAP, "prod", "m", {"data": {"x": None}})
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"
    assert json.loads(server.bodies[0]) == {"data": {"x": None}}
    await api.put_scale("prod", "d", 0, "17")
    assert (
        server.lines[1] == f"PUT {DEPLOYMENT.path('prod', 'd', 'scale')}?fieldManager=tandem-scale"
    )
    scale = json.loads(server.bodies[1])
    assert (scale["metadata"]["resourceVersion"], scale["spec"]) == ("17", {"replicas": 0})


async def test_an_expired_token_is_read_again(
    server: Server, connection: Connection, write_kubeconfig: Callable[[str], None]
) -> None:
    server.answer = lambda request: web.json_response(
        {}, status=200 if request.headers["Authorization"] == "Bearer second" else 401
    )
    write_kubeconfig("second")
    assert (await connection.send(Request("GET", PATH), 5)).status == 200
    assert len(server.lines) == 2


async def test_a_token_that_stays_wrong_is_asked_with_twice_only(
    server: Server, connection: Connection
) -> None:
    server.answer = lambda _: web.json_response({"message": "Unauthorized"}, status=401)
    assert (await connection.send(Request("GET", PATH), 5)).status == 401
    assert len(server.lines) == 2


async def test_a_wait_that_is_asked_for_is_told(server: Server, connection: Connection) -> None:
    server.answer = lambda _: web.json_response({}, status=429, headers={"Retry-After": "3"})
    answer = await connection.send(Request("GET", PATH), 5)
    assert (answer.status, answer.retry_after_s) == (429, 3.0)


async def test_an_answer_that_is_no_json_is_a_message(
    server: Server, connection: Connection
) -> None:
    server.answer = lambda _: web.Response(status=502, text="<h1>Bad gateway</h1>")
    answer = await connection.send(Request("GET", PATH), 5)
    assert (answer.status, answer.body) == (502, {"message": "<h1>Bad gateway</h1>"})


async def test_where_nobody_listens_the_request_has_not_left(
    server: Server, write_kubeconfig: Callable[[str], None]
) -> None:
    server.url = "http://127.0.0.1:1"
    write_kubeconfig("first")
    connection = await Connection.open()
    with pytest.raises(ConnectionRefusedError):
        await connection.send(Request("GET", PATH), 5)
    await connection.close()


async def test_in_a_pod_the_service_account_is_used_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "kubernetes.aio.config.incluster_config"
    for name, text in (("TOKEN", "one"), ("CERT", "a certificate")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(f"{folder}.SERVICE_{name}_FILENAME", f"{tmp_path / name}")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr("ssl.create_default_context", lambda **_: _NoTls())
    monkeypatch.setattr(f"{folder}.datetime", _HURRIED)
    connection = await Connection.open()
    configuration = connection._client.configuration
    assert configuration.host == "https://10.96.0.1:443"
    assert configuration.ssl_ca_cert == f"{tmp_path / 'CERT'}"
    assert (await configuration.auth_settings())["BearerToken"]["value"] == "bearer one"
    (tmp_path / "TOKEN").write_text("two")
    assert (await configuration.auth_settings())["BearerToken"]["value"] == "bearer two"
    await connection.close()


# A `datetime` module by which every token is due to be read again at once.
_HURRIED = SimpleNamespace(datetime=datetime, timedelta=lambda **_: timedelta(0))


class _NoTls:
    """A TLS context that is never used."""

    check_hostname = True
    verify_mode = 0


def test_the_default_namespace_is_that_of_the_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", f"{path}")
    assert default_namespace() == "default"
    for context, namespace in (({"namespace": "prod"}, "prod"), ({}, "default")):
        named = {"name": "c", "context": {"cluster": "k", "user": "u", **context}}
        clusters = [{"name": "k", "cluster": {"server": "https://127.0.0.1"}}]
        users = [{"name": "u", "user": {"token": "t"}}]
        config = {"current-context": "c", "contexts": [named], "clusters": clusters, "users": users}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        assert default_namespace() == namespace
