"""An API server that hangs, is gone, refuses, or is none: one clear error each, within its time, and no token in it."""

from __future__ import annotations

import json
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from checks.rollout import judge_rollout
from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.resources import PODS
from recovery.adapters.kubernetes.workloads import KubernetesWorkloads
from recovery.errors import GateRefused, RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.settings.services import KubernetesSettings
from tests.waiting import PATIENCE

TOKEN = "a-token-that-nobody-may-see-3f9c"
BACKEND = "clickview-backend"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def served(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer(self)

        do_POST = do_PATCH = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def say(handler: BaseHTTPRequestHandler, status: int, body: object) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(raw)))
    handler.end_headers()
    handler.wfile.write(raw)


def refusing(status: int, message: str) -> Answer:
    return lambda handler: say(handler, status, {"kind": "Status", "message": message})


def kubeconfig(folder: Path, server: str, **changed: Any) -> Path:
    content = {
        "current-context": "site",
        "contexts": [{"name": "site", "context": {"cluster": "c", "user": "u", "namespace": "clickview"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    } | changed
    file = folder / "kubeconfig"
    file.write_text(json.dumps(content))
    return file


def workloads(file: Path | None, **settings: Any) -> KubernetesWorkloads:
    return KubernetesWorkloads(
        KubernetesSettings(kubeconfig=file, **{"request_seconds": 60, **settings}), judge_rollout
    )


def error_of(look: Callable[[], object], kind: type[RecoveryError]) -> RecoveryError:
    with pytest.raises(kind) as found:
        look()
    assert TOKEN not in str(found.value)
    assert pickle.loads(pickle.dumps(found.value)).problem == found.value.problem
    return found.value


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets this port
        where = f"http://127.0.0.1:{held.getsockname()[1]}"
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND), TargetUnreachable)
    assert error.problem == f"the API server {where} does not answer: [Errno 111] Connection refused"


def silent(_handler: BaseHTTPRequestHandler) -> None:
    time.sleep(PATIENCE)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(int(PATIENCE * 5)):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.2)


@pytest.mark.parametrize("answer", [silent, dripping])
def test_a_server_that_hangs_or_never_ends_its_answer(answer: Answer, tmp_path: Path) -> None:
    with served(answer) as where:
        cluster = workloads(kubeconfig(tmp_path, where), request_seconds=1)
        began = time.monotonic()
        error = error_of(lambda: cluster.read_deployment(BACKEND), TargetUnreachable)
        took = time.monotonic() - began
    assert error.problem == f"the API server {where} does not answer within 1 s"
    assert took < PATIENCE / 2


def test_a_server_that_breaks_off(tmp_path: Path) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"metadata":')
        handler.close_connection = True

    with served(cut) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND), TargetUnreachable)
    assert error.problem.startswith(f"the API server {where} does not answer: ")


@pytest.mark.parametrize("body", [b"<html>\x1b[31m502</html>", b"\xff\xfe", b"", b"[1]", b"null"])
def test_a_server_that_is_no_api_server(body: bytes, tmp_path: Path) -> None:
    with served(lambda handler: say(handler, 200, body)) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND), TargetUnreachable)
    assert error.problem.startswith(f"{where} does not answer as a Kubernetes API server does: no ")
    assert "\x1b" not in str(error)


def test_an_answer_of_odd_kinds_is_read_as_empty(tmp_path: Path) -> None:
    odd = {
        "metadata": [],
        "spec": {"replicas": "three", "template": None},
        "status": "fine",
        "items": [1, {"metadata": 7}],
    }
    with served(lambda handler: say(handler, 200, odd)) as where:
        facts = workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND)
    assert (facts.wanted, facts.pods, facts.revision) == (1, (), None)


def test_refused_credentials_say_where_they_come_from(tmp_path: Path) -> None:
    asked: list[str] = []

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Authorization"])
        say(handler, 401, {"kind": "Status", "message": "Unauthorized"})

    with served(refuse) as where:
        file = kubeconfig(tmp_path, where)
        error = error_of(lambda: workloads(file).read_deployment(BACKEND), SettingsInvalid)
    assert error.problem == f"the API server {where} does not accept the credentials of {file} (context site)"
    assert asked == [f"Bearer {TOKEN}"]


def test_credentials_that_run_out_are_fetched_once_more(tmp_path: Path) -> None:
    """A token for a quarter of an hour, in a recovery that takes longer."""
    good = ["first"]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        accepted = handler.headers["Authorization"] == f"Bearer {good[0]}"
        say(handler, 200 if accepted else 401, {"metadata": {"name": BACKEND}})

    with served(answer) as where:
        cluster = workloads(kubeconfig(tmp_path, where, users=[{"name": "u", "user": {"token": "first"}}]))
        cluster.read_specification(BACKEND)
        good[0] = "second"
        kubeconfig(tmp_path, where, users=[{"name": "u", "user": {"token": "second"}}])
        assert BACKEND in cluster.read_specification(BACKEND)
        good[0] = "third"
        error_of(lambda: cluster.read_specification(BACKEND), SettingsInvalid)


def test_a_missing_right_is_named_and_what_gives_it(tmp_path: Path) -> None:
    message = 'deployments.apps "x" is forbidden: User "system:x" cannot get resource "deployments" in API group "apps"'
    with served(refusing(403, message)) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND), SettingsInvalid)
    assert error.problem == f"we may not get deployments/{BACKEND} in namespace clickview: {message}"
    assert "deployments/kubernetes/role.yaml" in error.next_step


def test_a_policy_of_the_cluster_that_refuses_is_no_missing_right(tmp_path: Path) -> None:
    message = 'admission webhook "frozen.example" denied the request: no changes on Sundays'
    with served(refusing(403, message)) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_log("p-1", lines=1), GateRefused)
    assert error.problem == f"the cluster refuses to get pods/p-1 in namespace clickview (403): {message}"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_may_be_asked_again(status: int, tmp_path: Path) -> None:
    count: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        count.append(1)
        say(handler, status, b"<html>upstream</html>")

    with served(answer) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND), TargetUnreachable)
    assert error.problem.startswith(
        f"the API server {where} cannot get deployments/{BACKEND} in namespace clickview now"
    )
    assert len(count) == 1  # the step asks again, and writes it down


def test_a_long_list_comes_in_pages_and_one_that_grew_too_old_is_asked_for_again(tmp_path: Path) -> None:
    strange = "a token/with+all=kinds&of letters\t"
    forgotten = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = dict(parse_qsl(urlsplit(handler.path).query))
        if "continue" not in asked:
            say(handler, 200, {"metadata": {"continue": strange}, "items": [{"metadata": {"name": "one"}}]})
        elif forgotten.is_set():
            say(handler, 410, {"message": "the provided continue parameter is too old"})
        else:
            assert (asked["continue"], asked["labelSelector"]) == (strange, "app in (a,b)")
            say(handler, 200, {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "two"}}]})

    with served(answer) as where:
        cluster = Cluster(KubernetesSettings(kubeconfig=kubeconfig(tmp_path, where)))
        found, version = cluster.find_at(PODS, labelSelector="app in (a,b)")
        assert ([one["metadata"]["name"] for one in found], version) == (["one", "two"], "7")
        forgotten.set()
        error_of(lambda: cluster.find(PODS), TargetUnreachable)


def test_a_log_of_several_containers_names_each(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/log" not in handler.path:
            say(handler, 200, {"spec": {"containers": [{"name": "backend"}, {"name": "proxy"}]}})
        elif "container=proxy" in handler.path:
            say(handler, 400, {"message": 'container "proxy" in pod "p" is waiting to start: PodInitializing'})
        else:
            say(handler, 200, b"ready\n")

    with served(answer) as where:
        log = workloads(kubeconfig(tmp_path, where)).read_log("p", lines=5)
    assert log.startswith("--- container backend ---\nready\n--- container proxy ---\n(no log: ")


def test_an_old_server_is_asked_in_the_version_that_it_knows(tmp_path: Path) -> None:
    """1.20 has autoscaling/v1 and policy/v1beta1 only."""
    asked: list[tuple[str, str]] = []
    limits = {"scaleTargetRef": {"kind": "Deployment", "name": BACKEND}, "minReplicas": 2, "maxReplicas": 3}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        asked.append((handler.command, path.partition("/namespaces/")[0]))
        if path.startswith(("/apis/autoscaling/v2", "/apis/policy/v1/", "/apis/metrics.k8s.io")):
            say(handler, 404, b"404 page not found\n")
        elif path.startswith("/apis/autoscaling/v1") and handler.command == "GET":
            say(handler, 200, {"items": [{"metadata": {"name": "hpa"}, "spec": limits}]})
        else:
            say(handler, 200, {"metadata": {"name": BACKEND}})

    with served(answer) as where:
        cluster = workloads(kubeconfig(tmp_path, where))
        facts = cluster.read_deployment(BACKEND)
        assert facts.autoscaler and (facts.autoscaler.maximum, facts.unseen) == (3, ())
        assert cluster.read_usage(facts) is None
        cluster.scale(BACKEND, 5)
    assert ("PATCH", "/apis/autoscaling/v1") in asked
    assert [one for one in asked if one[1] == "/apis/autoscaling/v2"] == [("GET", "/apis/autoscaling/v2")]


def test_a_server_without_such_a_kind_at_all_is_said(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        absent = "/policy/" in handler.path or "/autoscaling/" in handler.path
        say(handler, 404 if absent else 200, {"metadata": {"name": BACKEND}})

    with served(answer) as where:
        facts = workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND)
    assert facts.unseen == (
        "autoscalers: cannot list horizontalpodautoscalers in namespace clickview: Not Found",
        "disruption budgets: cannot list poddisruptionbudgets in namespace clickview: Not Found",
    )


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with served(lambda handler: say(handler, 302, b"")) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_deployment(BACKEND), GateRefused)
    assert "(302)" in error.problem


def test_a_name_that_would_lead_elsewhere(tmp_path: Path) -> None:
    with served(lambda handler: say(handler, 200, {})) as where:
        error = error_of(lambda: workloads(kubeconfig(tmp_path, where)).read_log("../../x", lines=1), SettingsInvalid)
    assert error.problem == "'../../x' cannot be a name in a cluster"
