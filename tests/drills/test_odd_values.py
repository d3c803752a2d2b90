"""Odd values over all parameters, of the command and of the API: a clear refusal or a right run, and nothing is started.

N is how many (make prove: 100 for each of its N), SEED which.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.catalogue import deployments_file, read_deployments
from recovery.environment import our_environment
from recovery.lease import lease_holder
from tests.fix_prefect import Served
from tests.odd_values import misspelt, odd_text, odd_value
from tests.waiting import PATIENCE

N = int(os.environ.get("N", "1")) * 100
SEED = int(os.environ.get("SEED", "1"))
_SUBMITTED = max(20, N // 4)
_REALLY_RUN = 3
_TARGETS = ("target_time", "target_lsn", "target_name", "backup_id")
ROOT = Path(__file__).parents[2]
GONE = """
[site]
state_dir = "{folder}/state"
[database]
host = "127.0.0.1"
port = 1
data_dir = "{folder}/data"
socket_dir = "{folder}/socket"
password = "one-that-nobody-has"
[backup]
encryption_key = "key-of-the-repository"
[backup.primary]
bucket = "clickview-backups"
region = "us-east-1"
endpoint = "127.0.0.1"
port = 1
access_key_id = "AKIANOBODY"
secret_access_key = "secret-of-nobody"
"""


@pytest.mark.campaign
def test_odd_commands(tmp_path: Path) -> None:
    """Against a site that is gone, so that what could be meant ends soon."""
    settings = tmp_path / "recovery.toml"
    settings.touch(mode=0o600)
    settings.write_text(GONE.format(folder=tmp_path))
    environment = our_environment() | {"RECOVERY_CONFIG": str(settings), "STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.odd_commands", str(SEED), str(N)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE * 12, check=False,
    )  # fmt: skip
    print(done.stdout.splitlines()[-1] if done.stdout else done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr


def odd_parameters(source: random.Random, names: list[str]) -> dict[str, Any]:
    """One to three parameters with odd values, some of them misspelt."""
    if source.random() < 0.3:
        return {source.choice(names): odd_text(source)}
    chosen = source.sample(names, min(len(names), source.randint(1, 3)))
    return {misspelt(name, source) if source.random() < 0.15 else name: odd_value(source) for name in chosen}


def submitted(served: Served, deployment: str, parameters: dict[str, Any]) -> httpx.Response:
    # As JSON in ASCII: lone surrogates too.
    body = json.dumps({"parameters": parameters}).encode()
    head = {"Content-Type": "application/json"}
    url = f"{served.url}/api/deployments/{deployment}/create_flow_run"
    return httpx.post(url, content=body, headers=head, timeout=PATIENCE)


@pytest.mark.campaign
def test_odd_values_by_the_api(served: Served) -> None:
    """Refused when the run is created, with the reason; what is let through is refused by the run itself, in words."""
    source = random.Random(SEED)
    every = [
        (found["id"], [*found["parameter_openapi_schema"]["properties"]])
        for name in (one["name"] for one in read_deployments(deployments_file()))
        for found in [served.ask("GET", f"/deployments/name/{name}/{name}")]
    ]
    restore = served.ask("GET", "/deployments/name/restore/restore")["id"]
    every += [one for one in every if one[0] == restore] * 5
    answers: dict[int, int] = {}
    taken: list[str] = []
    served.ask("PATCH", "/work_pools/recovery", {"is_paused": True})
    try:
        for _ in range(_SUBMITTED):
            deployment, names = source.choice(every)
            parameters = odd_parameters(source, names)
            answer = submitted(served, deployment, parameters)
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
            assert answer.status_code in (201, 400, 409, 422), f"{parameters}: {answer.text}"
            assert "Traceback" not in answer.text
            if answer.status_code != 201:
                assert answer.json().get("detail") or answer.json().get("exception_detail"), parameters
            elif deployment == restore and any(parameters.get(one) for one in _TARGETS):  # it reaches nothing
                taken.append(answer.json()["id"])
            else:
                served.ask("DELETE", f"/flow_runs/{answer.json()['id']}")
        for run_id in taken[_REALLY_RUN:]:
            served.ask("DELETE", f"/flow_runs/{run_id}")
    finally:
        served.ask("PATCH", "/work_pools/recovery", {"is_paused": False})
    print(f"API, seed {SEED}: {dict(sorted(answers.items()))}, {len(taken[:_REALLY_RUN])} run")
    for run_id in taken[:_REALLY_RUN]:
        state = served.wait(run_id)["state"]
        assert state["type"] in ("FAILED", "COMPLETED"), state
        assert state["type"] == "COMPLETED" or "NEXT: " in state["message"], state
        assert "Traceback" not in state["message"]
    assert not list((served.state_dir / "scratch").glob("*"))
    assert lease_holder(served.state_dir, "restore") is None


@pytest.mark.refuses(
    "deployment restore target_time target_lsn target_name backup_id target_database",
    "deployment restore source_region source_bucket target_timeline accept_failed_checks",
    "deployment backup-expire backup_id",
    "deployment data-check database",
)
def test_an_empty_text_is_no_wish_for_something_else(served: Served) -> None:
    """`target_time: ""` restored the newest moment."""
    for name, parameter in (
        *(("restore", one) for one in ("target_time", "target_lsn", "target_name", "backup_id", "target_database")),
        *(("restore", one) for one in ("source_region", "source_bucket", "accept_failed_checks")),
        ("backup-expire", "backup_id"),
        ("data-check", "database"),
    ):
        found = served.ask("GET", f"/deployments/name/{name}/{name}")["id"]
        empty = submitted(served, found, {parameter: ""})
        assert (empty.status_code, "'' should be non-empty" in empty.text) == (409, True), empty.text
        assert parameter in empty.text
        blank = submitted(served, found, {parameter: " \n"})
        assert (blank.status_code, parameter in blank.text) == (409, True), blank.text
    number = submitted(served, served.ask("GET", "/deployments/name/restore/restore")["id"], {"target_timeline": -1})
    assert (number.status_code, "-1 is less than the minimum of 1" in number.text) == (409, True)


def test_a_misspelt_parameter_is_named_and_so_are_the_right_ones(served: Served) -> None:
    """It ended as `Process exited with status code 1`."""
    found = served.ask("GET", "/deployments/name/backup-expire/backup-expire")["id"]
    refused = submitted(served, found, {"backup-id": "20260101-000000F"})
    assert refused.status_code == 409
    assert "'backup-id' is not one of ['backup_id', 'repo', 'dry_run']" in refused.json()["detail"]


def test_a_run_refuses_what_an_older_deployment_let_through(served: Served) -> None:
    """Or somebody who has the server not look at the parameters."""
    found = served.ask("GET", "/deployments/name/restore/restore")["id"]
    wish = {"parameters": {"target_time": " "}, "enforce_parameter_schema": False}
    run = served.wait(served.ask("POST", f"/deployments/{found}/create_flow_run", wish)["id"])
    said = "GateRefused: target_time is empty\nNEXT: correct it, or leave it out"
    assert (run["state_type"], said in run["state"]["message"]) == ("FAILED", True), run["state"]["message"]
