"""Which run may go on with which incident, and what of it is news."""

from __future__ import annotations

from recovery.facts import Incident, Moment


def incident_refusal(known: Incident, scenario: str, *, drill: bool) -> str | None:
    """Why a run of this scenario must not go on with this incident, or None. One that nobody noted yet takes any."""
    if not known.events:
        return None
    if drill and not known.drill:
        return f"{known.id} is a real incident: a drill would break what is being recovered"
    if known.scenario in ("", scenario) or scenario in handed_over_to(known):
        return None
    return f"{known.id} is an incident of {known.scenario}, and nothing was handed over to {scenario}"


def handed_over_to(known: Incident) -> tuple[str, ...]:
    """The scenarios that it was handed over to."""
    return tuple(str(one.details.get("to", one.details.get("scenario", ""))) for one in known.of_kind("handed over"))


def stays_recovered(known: Incident) -> bool:
    """Whether it was recovered and nothing was done since."""
    since = None
    for one in known.events:
        if one.event == Moment.RECOVERED:
            since = one.at
        elif one.event in ("action", "option", "opened again"):
            since = None
    return since is not None


def worse_severity(severity: str, known: str) -> bool:
    """Whether this is worse than what is known: SEV-1 is the worst."""
    return severity != known and (not known or severity < known)
