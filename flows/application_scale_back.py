"""Give the application its former size back, when the rush is over."""

from dataclasses import dataclass

from checks.run_names import application_scale_back_name
from recovery.incident import new_incident_id
from tasks.application import Component, verify_application_healthy
from tasks.clock import scaled_in
from tasks.site_lease import holding_site
from tasks.step import note, runbook
from tasks.workloads import deployment_of, follow_rollout, read_deployment, scale_back

_HEALTHY_SECONDS = 120.0


@dataclass(frozen=True)
class ScaledBack:
    """The size that it has now, and the one that it had."""

    deployment: str
    before: int
    now: int
    changed: bool


@runbook("Scale the application back", application_scale_back_name)
def application_scale_back(
    component: Component = "backend", incident: str | None = None, take_over: str | None = None
) -> ScaledBack:
    """Return to the size, and the autoscaler's limits, from before a recovery scaled up.

    Idempotent: when nothing was noted, nothing is changed.

    Args:
        component: backend or frontend.
        incident: the incident in which it was scaled up; left out, the one that has this open.
        take_over: why this run takes the site from another recovery that is dead.
    """
    name = deployment_of(component)
    with holding_site(incident or new_incident_id(), take_over=take_over):
        before = read_deployment(name)
        size = scale_back(name)
        if size is None and before.rolled_out:
            note(f"{name} has no former size to return to; it runs {before.wanted} pods")
            scaled_in(incident, name)  # a run before this one may have been killed after it scaled
            return ScaledBack(name, before.wanted, before.wanted, False)
        follow_rollout(name)
        verify_application_healthy(_HEALTHY_SECONDS, component)
        scaled_in(incident, name)
        if size is None:
            return ScaledBack(name, before.wanted, before.wanted, False)
        note(f"{name} runs {size} pods again instead of {before.wanted}")
        return ScaledBack(name, before.wanted, size, True)
