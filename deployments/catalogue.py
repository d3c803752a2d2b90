"""The deployments of prefect.yaml, put into a Prefect server.

`prefect deploy --all` does the same from a checkout; this works from an installed wheel too, and
leaves a schedule that somebody paused in the UI paused.
"""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import MissingFlowError, ObjectNotFound, PrefectHTTPStatusError, ScriptError
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from checks.parameters import LARGEST_NUMBER, LONGEST_TEXT, TEXT_PATTERN
from deployments.place import WORK_POOL

_LIMITS: dict[str, dict[str, Any]] = {
    "string": {"minLength": 1, "maxLength": LONGEST_TEXT, "pattern": TEXT_PATTERN},
    "integer": {"minimum": 1, "maximum": LARGEST_NUMBER},
}


def deployments_file() -> Path:
    """prefect.yaml: beside this package in a checkout, inside it in a wheel."""
    inside = Path(str(resources.files("deployments") / "prefect.yaml"))
    return inside if inside.exists() else inside.parent.parent / "prefect.yaml"


def read_deployments(file: Path) -> list[dict[str, Any]]:
    """The deployments of a prefect.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text())["deployments"]
    return found


def put_work_pool(client: SyncPrefectClient) -> None:
    """Have the work pool whose runs start fast and outlive their worker."""
    template = ProcessWorker.get_default_base_job_template()
    variables = template["variables"]["properties"]
    # The engine itself instead of `prefect flow-run execute`: a run begins a second earlier.
    variables["command"]["default"] = f'"{sys.executable}" -P -m prefect.engine'
    # With a pipe to the worker the run would die with it.
    variables["stream_output"]["default"] = False
    # A temporary directory for each run would stay behind whenever the worker is killed.
    variables["working_dir"]["default"] = os.environ["PREFECT_HOME"]
    try:
        client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template))
    else:
        client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))


def put_deployment(client: SyncPrefectClient, wanted: dict[str, Any]) -> None:
    """Create or update one deployment."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(wanted["entrypoint"])
    limit = wanted.get("concurrency_limit") or {}
    client.create_deployment(
        flow_id=client.create_flow(flow),
        name=wanted["name"],
        entrypoint=wanted["entrypoint"],
        work_pool_name=wanted["work_pool"]["name"],
        description=wanted.get("description") or flow.description,
        tags=wanted.get("tags", []),
        parameters=wanted.get("parameters", {}),
        parameter_openapi_schema=strict_schema(parameter_schema(flow).model_dump(exclude_unset=True)),
        enforce_parameter_schema=True,
        schedules=_schedules(wanted, _paused_slugs(client, flow.name, wanted["name"])),
        concurrency_limit=limit.get("limit"),
        concurrency_options=ConcurrencyOptions(collision_strategy=limit["collision_strategy"]) if limit else None,
    )


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a runbook's parameters, by which the server refuses what the runbook would, when a run is created.

    Beside each type, not inside it: so the form stays as it is, and the reason names what is wrong.
    """
    properties = {
        name: {**shown, **{key: value for kind in _kinds(shown) for key, value in _LIMITS.get(kind, {}).items()}}
        for name, shown in schema.get("properties", {}).items()
    }
    # Not `additionalProperties`: its reason does not say which names there are.
    return {**schema, "properties": properties, "propertyNames": {"enum": [*properties]}}


def _kinds(shown: dict[str, Any]) -> list[str]:
    return [one.get("type", "") for one in shown.get("anyOf", [shown]) if "enum" not in one]


def put_all(client: SyncPrefectClient, file: Path) -> list[str]:
    """Put the work pool and every deployment; returns what could not be put, each with the reason.

    One broken flow must not take the restore away from the person who needs it now.
    """
    put_work_pool(client)
    problems = []
    every = read_deployments(file)
    remove_forgotten(client, {wanted["entrypoint"] for wanted in every})
    for wanted in every:
        try:
            put_deployment(client, wanted)
        except (ImportError, ScriptError, MissingFlowError, PrefectHTTPStatusError) as error:
            problems.append(f"{wanted['name']}: {type(error).__name__}: {error}")
    return problems


def remove_forgotten(client: SyncPrefectClient, entrypoints: set[str]) -> None:
    """Remove deployments of ours that an older version put: their schedules would fail for ever."""
    for known in client.read_deployments():
        entrypoint = known.entrypoint or ""
        if known.work_pool_name == WORK_POOL and entrypoint.startswith("flows.") and entrypoint not in entrypoints:
            client.delete_deployment(known.id)


def _schedules(wanted: dict[str, Any], paused: set[str]) -> list[DeploymentScheduleCreate]:
    return [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"]),
            active=schedule["slug"] not in paused,
            slug=schedule["slug"],
            parameters=schedule.get("parameters", {}),
        )
        for schedule in wanted.get("schedules", [])
    ]


def _paused_slugs(client: SyncPrefectClient, flow: str, name: str) -> set[str]:
    """The schedules that somebody has paused."""
    try:
        known = client.read_deployment_by_name(f"{flow}/{name}")
    except ObjectNotFound:
        return set()
    return {schedule.slug or "" for schedule in known.schedules if not schedule.active}
