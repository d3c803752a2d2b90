"""Which cluster is asked, and as whom: the settings say it, the kubeconfig says it, the shell never."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from recovery.adapters.kubernetes.credentials import Access, find_access
from recovery.errors import CommandFailed, RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.redaction import redact
from recovery.settings.services import KubernetesSettings
from sandbox.certificates import make_certificates
from sandbox.layout import Sandbox
from tests.hostile import SHELL, leave_files_in_home
from tests.integration.test_kubernetes_errors import BACKEND, TOKEN, error_of, kubeconfig, say, served, workloads

TWO_CONTEXTS = {
    "contexts": [
        {"name": "site", "context": {"cluster": "c", "user": "u", "namespace": "clickview"}},
        {"name": "other", "context": {"cluster": "c", "user": "u"}},
    ]
}
CORRECT = "correct kubeconfig and context in [kubernetes] of recovery.toml"


def access(file: Path | None, account: Path = Path("/none"), **settings: Any) -> Access:
    return find_access(KubernetesSettings(kubeconfig=file, **settings), account)


def problem(look: Callable[[], object], kind: type[RecoveryError] = SettingsInvalid) -> tuple[str, str]:
    error = error_of(look, kind)
    return error.problem, error.next_step


# Which ---------------------------------------------------------------------------------------------


def test_the_namespace_is_that_of_the_settings_else_of_the_context_else_default(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://127.0.0.1:1", **TWO_CONTEXTS)
    assert access(file).namespace == "clickview"
    assert access(file, context="other").namespace == "default"
    assert access(file, context="other", namespace="ours").namespace == "ours"


def test_a_namespace_that_would_lead_elsewhere(tmp_path: Path) -> None:
    elsewhere = [{"name": "site", "context": {"cluster": "c", "user": "u", "namespace": "../../api"}}]
    file = kubeconfig(tmp_path, "https://127.0.0.1:1", contexts=elsewhere)
    assert problem(lambda: access(file)) == (f"'../../api' of {file} (context site) cannot be a namespace", CORRECT)


def test_unset_it_is_the_file_in_the_home_and_never_what_the_shell_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path, "https://home:1").rename(tmp_path / ".kube" / "config")
    (tmp_path / "theirs").mkdir()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "theirs", "https://theirs:1")))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://theirs:3128")
    found = access(None)
    assert (found.server, found.source) == ("https://home:1", f"{tmp_path}/.kube/config (context site)")


def test_a_hostile_shell_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_files_in_home(tmp_path)
    for name, value in (SHELL | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    with served(lambda handler: say(handler, 200, {})) as where:
        assert workloads(kubeconfig(tmp_path, where)).read_specification(BACKEND) == "{}\n"


def test_in_a_pod_it_is_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "theirs")
    account = tmp_path / "account"
    account.mkdir()
    for name, content in (("token", TOKEN), ("ca.crt", "a certificate"), ("namespace", "clickview\n")):
        (account / name).write_text(content)
    found = access(None, account)
    assert (found.server, found.namespace) == ("https://kubernetes.default.svc:443", "clickview")
    assert found.source == "this pod's service account"
    assert redact(f"x {TOKEN}") == "x •••"
    # A file that is named is meant.
    assert access(kubeconfig(tmp_path, "https://named:1"), account).server == "https://named:1"
    (account / "token").write_text("")
    assert problem(lambda: access(None, account)) == (
        f"this pod's service account ({account}) cannot be used: Token file exists but empty.",
        "mount a service account's token into the pod, or name a kubeconfig in recovery.toml",
    )


# What is wrong with it -----------------------------------------------------------------------------


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert problem(lambda: access(None)) == (
        f"there is no kubeconfig {tmp_path}/.kube/config",
        "name the file in [kubernetes] of recovery.toml, or run this in the cluster with a service account",
    )
    assert problem(lambda: access(tmp_path))[0] == f"kubeconfig {tmp_path} cannot be read: IsADirectoryError"


@pytest.mark.parametrize("content", ["", "[]", "just text", f"token: '{TOKEN}\n: :", "a: [", "\x00"])
def test_a_file_that_is_none(content: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    assert problem(lambda: access(file)) == (
        f"kubeconfig {file} is no kubeconfig: it cannot be read as YAML with keys",
        CORRECT,
    )


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://x:1", **TWO_CONTEXTS)
    assert problem(lambda: access(file, context="prod")) == (
        f"kubeconfig {file} has no context prod; its contexts: site, other",
        CORRECT,
    )
    kubeconfig(tmp_path, "https://x:1", **{"current-context": "", "contexts": None})
    assert problem(lambda: access(file))[0] == f"kubeconfig {file} names no current context; its contexts: none"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"clusters": []}, "Invalid kube-config file. Expected object with name c in kube-config/clusters list"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "its cluster has no server's address"),
        ({"clusters": [{"name": "c", "cluster": {"server": "x:1"}}]}, "its cluster has no server's address"),
        ({"clusters": [{"name": "c", "cluster": {"server": "http://[1"}}]}, "ValueError"),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://x:1", "certificate-authority": "gone.pem"}}]},
            None,
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://x:1", "certificate-authority-data": "a"}}]},
            "Error",
        ),
        ({"clusters": "c"}, None),
        ({"users": [{"name": "u", "user": 7}]}, None),
    ],
)
def test_a_file_that_is_broken_somewhere(changed: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://x:1", **changed)
    found = problem(lambda: access(file))
    assert found[0].startswith(f"kubeconfig {file} cannot be used: ") and found[1] == CORRECT
    assert said is None or found[0].endswith(said)


# A program that hands out credentials --------------------------------------------------------------


def plugin(folder: Path, script: str, **more: Any) -> dict[str, Any]:
    (folder / "plugin.py").write_text(script)
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(folder / "plugin.py")],
    }
    return {"users": [{"name": "u", "user": {"exec": program | more}}]}


def test_it_is_told_nothing_of_the_shell_and_its_token_is_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "theirs")
    script = """
import json, os
assert "AWS_PROFILE" not in os.environ
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential"
print(json.dumps({"status": {"token": "handed-out-to-" + os.environ["WHOM"]}}))
"""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Authorization"])
        say(handler, 200, {})

    with served(answer) as where:
        file = kubeconfig(tmp_path, where, **plugin(tmp_path, script, env=[{"name": "WHOM", "value": "us-alone"}]))
        workloads(file).read_specification(BACKEND)
    assert asked == ["Bearer handed-out-to-us-alone"]
    assert redact("handed-out-to-us-alone") == "•••"


def test_it_fails_hangs_or_says_nothing(tmp_path: Path) -> None:
    def found(script: str, kind: type[RecoveryError]) -> str:
        file = kubeconfig(tmp_path, "https://x:1", **plugin(tmp_path, script))
        return problem(lambda: access(file, request_seconds=2), kind)[0]

    assert found("import sys; sys.exit('expired session')", CommandFailed).endswith("ended with status 1")
    found("import time; time.sleep(300)", TargetUnreachable)
    for said in ("", "{}", "[]", '{"status": {}}', "x"):
        gave = found(f"print({said!r})", SettingsInvalid)
        assert gave == f"the kubeconfig's program {sys.executable} gave no credentials"
    file = kubeconfig(tmp_path, "https://x:1", **plugin(tmp_path, "", command="no-such-program"))
    assert "no-such-program" in problem(lambda: access(file))[0]


def test_a_way_to_sign_in_that_could_wait_for_ever(tmp_path: Path) -> None:
    oidc = {"name": "u", "user": {"auth-provider": {"name": "oidc", "config": {"id-token": TOKEN}}}}
    assert problem(lambda: access(kubeconfig(tmp_path, "https://x:1", users=[oidc]))) == (
        "user u of the kubeconfig signs in by an auth-provider, which has no deadline",
        "let it use a program (exec) or a service account's token",
    )


# TLS -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = Sandbox(tmp_path_factory.mktemp("tls"), {}, (), Path())
    make_certificates(sandbox)
    return sandbox


def test_tls_that_is_trusted_and_tls_that_is_not(certificates: Sandbox, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.tls_dir / "server.pem", certificates.tls_dir / "server.key")
    with served(lambda handler: say(handler, 200, {}), context) as where:
        trusted = {"server": where, "certificate-authority": str(certificates.ca_file)}
        file = kubeconfig(tmp_path, where, clusters=[{"name": "c", "cluster": trusted}])
        assert workloads(file).read_specification(BACKEND) == "{}\n"
        file = kubeconfig(tmp_path, where)
        error = error_of(lambda: workloads(file).read_specification(BACKEND), TargetUnreachable)
    assert error.problem.startswith(f"no TLS with the API server {where}: ")
    assert "certificate verify failed" in error.problem
    assert error.next_step == f"check certificate-authority and client certificate in {file} (context site)"


def test_a_kubeconfig_is_json_or_yaml(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://x:1")
    file.write_text(yaml.safe_dump(json.loads(file.read_text())))
    assert access(file).server == "https://x:1"
