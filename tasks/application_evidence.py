"""What was seen of the application before anything was changed, kept with the incident."""

from __future__ import annotations

import json
from dataclasses import asdict

from recovery.errors import RecoveryError
from recovery.facts import ApplicationFacts
from recovery.journal import plain
from recovery.site import site
from tasks.incidents import keep_evidence
from tasks.step import probe, warn


@probe
def keep_application_facts(facts: ApplicationFacts) -> None:
    """Keep the facts, the events, the logs and the deployment's specification, before a restart takes them away."""
    keep_evidence(
        "facts.json",
        _json(
            asdict(facts.deployment) | {"health": asdict(facts.health), "behind": facts.behind, "unseen": facts.unseen}
        ),
    )
    keep_evidence("events.json", _json([asdict(one) for one in facts.events]))
    if facts.usage is not None:
        keep_evidence("usage.json", _json([asdict(one) for one in facts.usage]))
    for pod, log in facts.logs.items():
        keep_evidence(f"{pod}.log", log)
    try:
        keep_evidence("deployment.json", site().workloads.read_specification(facts.deployment.name))
    except RecoveryError as error:
        warn(f"the deployment's specification is not among the evidence: {error.problem}")


def _json(value: object) -> str:
    return json.dumps(value, default=plain, indent=1)
