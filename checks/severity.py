"""How bad an incident is by the runbook's table, and what is due when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from recovery.facts.incident import Incident, Moment
from recovery.settings.promises import SeverityLevel, SeverityName

# By when a post-mortem is held: the worse it was, the sooner.
_POST_MORTEM_DAYS = {"SEV-1": 2, "SEV-2": 5, "SEV-3": 10, "SEV-4": 20}

# Whom the contacts table names for what broke.
_OWNERS = {
    "database-failure": "database_admin",
    "data-corruption": "database_admin",
    "security-breach": "security_team",
    "region-failure": "infrastructure_lead",
    "application-failure": "infrastructure_lead",
    "cache-failure": "infrastructure_lead",
}


def severity_of(answering: int, wanted: int, healthy: bool) -> str:
    """The runbook's level, by what users see: how many of the wanted servers answer, and whether the application does."""
    if answering == 0 or not healthy:
        return "SEV-1"
    if answering * 2 < wanted:
        return "SEV-2"
    return "SEV-3" if answering < wanted else "SEV-4"


def response_due(incident: Incident, levels: Mapping[SeverityName, SeverityLevel]) -> datetime | None:
    """By when somebody must answer; None while nobody noticed, or when the level is unknown."""
    noticed = incident.moments.get(Moment.DETECTED)
    level = next((one for name, one in levels.items() if name == incident.severity), None)
    return noticed + timedelta(minutes=level.response_minutes) if noticed and level else None


def post_mortem_due(incident: Incident) -> datetime | None:
    """By when the post-mortem is held; None before it is over, and for a drill."""
    over = incident.moments.get(Moment.RECOVERED)
    if over is None or incident.drill:
        return None
    return over + timedelta(days=_POST_MORTEM_DAYS.get(incident.severity, _POST_MORTEM_DAYS["SEV-4"]))


def owner_of(scenario: str) -> str:
    """Whom the contacts table names for this scenario."""
    return _OWNERS.get(scenario, "on_call")
