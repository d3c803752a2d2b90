"""Programs and connections of ours know nothing of the shell: what they are given, and that nothing goes past it."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.place import place_of, server_environment
from recovery.adapters.application import open_url
from recovery.adapters.aws import make_client
from recovery.adapters.process import HERE, Companion, Host
from recovery.environment import forget_the_shell, our_environment, program_environment
from recovery.settings import Settings
from recovery.settings.load import settings_environment
from tests.hostile import SHELL
from tests.unit.starts import KNOWN, uses_of, violations
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
PRODUCT = ("flows", "tasks", "checks", "recovery", "deployments", "sandbox", "benchmarks")
PRINT = "import json, os; print(json.dumps(dict(os.environ)), flush=True)"


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which everything is set that could lead anyone astray."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)


# What is in it ------------------------------------------------------------------------------------


def test_a_program_s_environment_is_made_from_nothing() -> None:
    shell = SHELL | {"PATH": "/opt/bin", "HOME": "/home/op", "SSH_AUTH_SOCK": "/run/agent", "LD_PRELOAD": "x.so"}
    assert program_environment({"PGPASSFILE": "/state/pgpass"}, shell) == {
        "PATH": "/opt/bin",
        "HOME": "/home/op",
        "SSH_AUTH_SOCK": "/run/agent",
        "LC_ALL": "C",
        "TZ": "UTC",
        "PGPASSFILE": "/state/pgpass",
    }


def test_a_shell_without_a_path_and_a_home_gives_the_usual_ones() -> None:
    made = program_environment(shell={"HOME": ""})
    assert made["PATH"].endswith(":/usr/bin:/sbin:/bin")
    assert Path(made["HOME"]).is_absolute()


def test_a_program_of_ours_also_has_its_python_and_the_proxies_of_the_site() -> None:
    shell = SHELL | {"PATH": "/bin", "HOME": "/", "PYTHONPATH": "/ours", "https_proxy": "http://proxy:3128"}
    made = our_environment({"RECOVERY_CONFIG": "/r.toml"}, shell)
    assert (made["PYTHONPATH"], made["https_proxy"], made["RECOVERY_CONFIG"]) == (
        "/ours",
        "http://proxy:3128",
        "/r.toml",
    )
    assert made["NO_PROXY"] == made["no_proxy"] == "elsewhere.invalid,127.0.0.1,localhost,::1,169.254.169.254"
    assert {name for name in made if name.startswith(("PG", "AWS_", "LC_", "LANG"))} == {"LC_ALL"}
    assert made["TZ"] == "UTC"


def test_settings_that_the_runbook_s_variables_give_are_handed_on() -> None:
    shell = SHELL | {"DB_HOST": "db1", "RECOVERY_CONFIG": "site/recovery.toml", "RECOVERY_NO_SERVER": "1"}
    assert settings_environment(shell) == {
        "DB_HOST": "db1",
        "RECOVERY_CONFIG": str(Path.cwd() / "site/recovery.toml"),
        "RECOVERY_NO_SERVER": "1",
    }


@pytest.mark.usefixtures("hostile")
def test_what_runs_on_a_host_is_told_nothing_of_the_shell() -> None:
    told = HERE.run(["env", "-0"], timeout_seconds=PATIENCE, env={"PGPASSFILE": "a b'\n$c"}).stdout
    assert dict(line.split("=", 1) for line in told.split("\0")[:-1]) == program_environment({"PGPASSFILE": "a b'\n$c"})
    behind = Host(("nice",)).run(["env", "-0"], timeout_seconds=PATIENCE, env={"PGPASSFILE": "a b"}).stdout
    assert dict(line.split("=", 1) for line in behind.split("\0")[:-1]) == program_environment({"PGPASSFILE": "a b"})


@pytest.mark.usefixtures("hostile")
def test_a_companion_is_told_nothing_of_the_shell() -> None:
    one = Companion([sys.executable, "-c", f"input(); {PRINT}"])
    told = ast.literal_eval(one.ask("?", timeout_seconds=PATIENCE))
    one.stop()
    told.pop("LC_CTYPE", None)  # Python's own
    assert told == our_environment()


@pytest.mark.usefixtures("hostile")
def test_the_server_and_its_runs_are_told_nothing_of_the_shell(tmp_path: Path) -> None:
    least = {"backup": {"encryption_key": "k", "primary": {"bucket": "abc"}}, "site": {"state_dir": tmp_path}}
    made = server_environment(place_of(Settings.model_validate(least), None), "postgresql://own")
    assert not {name for name in made if name.startswith(("PG", "AWS_", "LANGUAGE"))}
    assert (made["LC_ALL"], made["TZ"]) == ("C", "UTC")
    assert made["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


# Libraries in our own process ---------------------------------------------------------------------


@pytest.mark.usefixtures("hostile")
def test_libraries_hear_nothing_of_the_shell() -> None:
    forget_the_shell()
    assert not [name for name in os.environ if name.startswith(("PG", "AWS_"))]
    assert {"127.0.0.1", "169.254.169.254"} <= set(os.environ["NO_PROXY"].split(","))
    before = dict(os.environ)
    forget_the_shell()
    assert dict(os.environ) == before


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("own", [True, False], ids=["given", "the machine's own"])
def test_aws_is_asked_as_the_settings_say(own: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AWS_PROFILE of another site stopped every command; AWS_ENDPOINT_URL led it elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-9\nendpoint_url = http://127.0.0.1:1\n")
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = THEIRS\naws_secret_access_key = x\n")
    monkeypatch.setattr("botocore.utils.InstanceMetadataFetcher.retrieve_iam_role_credentials", lambda _self: {})
    client = make_client(
        "s3",
        region="eu-west-1",
        endpoint_url=None,
        ca_file=None,
        access_key_id="OURS" if own else None,
        secret_access_key="of-ours" if own else None,
    )
    assert client.meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.config.retries["total_max_attempts"] == 2
    assert client._endpoint.http_session._verify is True
    credentials = client._request_signer._credentials
    assert (credentials and credentials.access_key) == ("OURS" if own else None)


@pytest.mark.usefixtures("hostile")
def test_a_health_check_on_this_machine_is_asked_without_a_proxy() -> None:
    from tests.unit.test_server_address import health

    with health() as url, open_url(f"{url}/health", seconds=PATIENCE) as answer:
        assert answer.status == 200


# Nothing goes past it -----------------------------------------------------------------------------


def product_files() -> Iterator[tuple[str, str]]:
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text()


def test_no_program_is_started_and_no_connection_made_past_the_clean_environment() -> None:
    files = list(product_files())
    assert len(files) > 100
    assert [problem for file, text in files for problem in violations(file, text)] == []


def test_every_known_place_is_one() -> None:
    found = set()
    for file, text in product_files():
        found |= {(file, name) for name, _ in uses_of(text)}
    assert found == set(KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\nsubprocess.run(['rm'])",
        "import subprocess as sp\ndef f():\n    sp.Popen(['rm'])",
        "from subprocess import check_output as told\ntold(['rm'])",
        "from subprocess import *",
        "import subprocess\nstart = subprocess.Popen",
        "import subprocess, functools\nfunctools.partial(subprocess.run, env={})",
        "import subprocess\ngetattr(subprocess, 'run')(['rm'])",
        "import subprocess\nsp = subprocess\nsp.run(['rm'])",
        "import subprocess\nvars(subprocess)['run'](['rm'])",
        "import subprocess\nsubprocess.__dict__['run'](['rm'])",
        "import importlib\nimportlib.import_module('subprocess').run(['rm'])",
        "__import__('subprocess').run(['rm'])",
        "import os\nos.system('rm')",
        "from os import execv as go\ngo('rm', [])",
        "import asyncio\nasync def f():\n    await asyncio.create_subprocess_exec('rm')",
        "import multiprocessing",
        "from multiprocessing import Process",
        "import psycopg\nwith psycopg.connect('') as c:\n    pass",
        "from psycopg import connect\nconnect()",
        "import psycopg\npsycopg.Connection.connect('')",
        "from psycopg import Connection\nConnection.connect('')",
        "from sqlalchemy import create_engine\ncreate_engine('')",
        "def f(context):\n    context.data_sources.add_sql('x')",
        "def f():\n    import boto3\n    boto3.client('s3')",
        "from boto3 import Session",
        "from botocore.session import Session",
        "def f():\n    from kubernetes.client import Configuration\n    Configuration()",
        "from kubernetes import config\nconfig.load_kube_config()",
        "import urllib.request\nurllib.request.urlopen('http://x')",
        "from urllib import request\nrequest.urlopen('http://x')",
        "import httpx\nhttpx.get('http://x')",
    ],
)
def test_a_seeded_use_is_found(text: str) -> None:
    assert violations("tasks/seeded.py", text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("recovery/adapters/process.py", "import subprocess\ndef f():\n    subprocess.Popen(['rm'])"),
        (
            "recovery/cli/serve.py",
            "import os, subprocess\ndef f():\n    subprocess.Popen(['rm'], env=dict(os.environ))",
        ),
        ("recovery/adapters/postgres/connection.py", "import psycopg\ndef f():\n    psycopg.connect()"),
        ("recovery/adapters/aws.py", "import boto3\ndef f():\n    boto3.client('s3')"),
        ("deployments/flow_runs.py", "import httpx\ndef f():\n    httpx.request('GET', 'http://x')"),
    ],
)
def test_a_known_place_that_lets_the_shell_in_is_found(file: str, text: str) -> None:
    assert violations(file, text)


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\ndef f(one: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:\n    return one",
        "import subprocess\nclass C:\n    process: subprocess.Popen[bytes]",
        "import subprocess\ntry:\n    pass\nexcept subprocess.TimeoutExpired:\n    pass",
        "import os\nos.environ.get('HOME')",
        "import psycopg\ndef f(error: psycopg.Error) -> None:\n    raise psycopg.OperationalError",
        "from psycopg import errors, sql\nsql.SQL('')",
        "from botocore.config import Config\nConfig()",
    ],
)
def test_what_is_no_use_is_left_alone(text: str) -> None:
    assert violations("tasks/sound.py", text) == []
