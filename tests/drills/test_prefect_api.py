"""The server of `recover serve`, commanded by its API."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
import pytest

from tests.fix_prefect import Served
from tests.waiting import until


def test_runs_made_without_the_server_are_shown_in_it(served: Served) -> None:
    """The sandbox was prepared before there was a server; its journal tells the rest."""
    folder = min((served.state_dir / "runs").glob("*-site-prepare-*"))
    log = served.state_dir / "prefect" / "serve.log"
    until((folder / "imported").exists, what=log.read_text)  # at the start, then every minute
    run = served.run((folder / "imported").read_text())
    assert (run["name"], run["state_type"], run["tags"]) == (
        "prepare the site with restart",
        "COMPLETED",
        ["without-server"],
    )
    assert run["state"]["message"] == f"run without the server; its journal: {folder.name}"
    assert run["deployment_id"] == served.ask("GET", "/deployments/name/site-prepare/site-prepare")["id"]
    assert run["parameters"]["apply"] == "True"
    entries = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert datetime.fromisoformat(run["start_time"]) == datetime.fromisoformat(entries[0]["at"])
    assert datetime.fromisoformat(run["end_time"]) == datetime.fromisoformat(entries[-1]["at"])
    lines = served.logs(run["id"])
    assert lines[0].startswith("run begin · ")
    assert lines[-1].startswith("run done · ")


@pytest.mark.works("deployment backup kind repo")
def test_backup_is_taken_and_shown(served: Served) -> None:
    run = served.wait(served.submit("backup/backup", kind="full", repo="1"))
    assert run["state_type"] == "COMPLETED", served.logs(run["id"])
    artifacts = served.ask("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    assert [(one["key"], one["type"]) for one in artifacts] == [("backup-sets", "table")]
    link = f"{served.url}/v2/artifacts/artifact/{artifacts[0]['id']}"
    until(lambda: any(link in line for line in served.logs(run["id"])))


@pytest.mark.refuses("deployment backup kind")
def test_wrong_choice_is_refused_with_the_reason(served: Served) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        served.submit("backup/backup", kind="everything")
    assert refused.value.response.status_code == 409
    assert "'everything' is not one of ['full', 'diff', 'incr']" in refused.value.response.text


@pytest.mark.long
@pytest.mark.parametrize("count", [6, 20])
def test_many_submits_while_runs_are_active_and_none_lost(served: Served, count: int) -> None:
    active = [served.nap() for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        submitted = list(pool.map(lambda _: served.submit("nap/nap"), range(count)))
    assert len(set(submitted)) == count
    for run_id in submitted:
        assert served.wait(run_id)["state_type"] == "COMPLETED"
    for nap in active:
        nap.wake()
        assert served.wait(nap.run_id)["state_type"] == "COMPLETED"


def test_scheduled_run_really_comes(served: Served) -> None:
    """A newer SQLAlchemy deploys schedules whose runs silently never come."""
    wanted = {"flow_runs": {"tags": {"all_": ["minutely"]}, "state": {"type": {"any_": ["COMPLETED"]}}}}
    until(lambda: served.ask("POST", "/flow_runs/filter", wanted))
    run = served.ask("POST", "/flow_runs/filter", wanted)[0]
    assert run["auto_scheduled"]
    assert run["parameters"]["kind"] == "deep"
    deployment = served.ask("GET", "/deployments/name/nap/minutely")
    served.ask("POST", f"/deployments/{deployment['id']}/pause_deployment")
