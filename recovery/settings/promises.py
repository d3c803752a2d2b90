"""Who is called, how soon somebody must answer, and what is promised."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from recovery.settings.section import Section


class Contact(Section):
    """Who is called."""

    name: str = Field(description="a person or a team")
    contact: str = Field(description="where they are reached")


class SeverityLevel(Section):
    """How bad it is and how soon somebody must answer."""

    description: str = Field(description="what users see")
    response_minutes: int = Field(ge=0, description="response time in minutes; 0 is immediate")


class ObjectivesSettings(Section):
    """The promises, each measured after every run."""

    recovery_minutes: int = Field(240, ge=1, description="RTO")
    data_loss_minutes: int = Field(60, ge=1, description="RPO")
    detection_minutes: int = Field(5, ge=1, description="fault to alert")
    acknowledgement_minutes: int = Field(10, ge=1, description="alert to a person")

    @property
    def rto(self) -> timedelta:
        return timedelta(minutes=self.recovery_minutes)

    @property
    def rpo(self) -> timedelta:
        return timedelta(minutes=self.data_loss_minutes)

    @property
    def ttd(self) -> timedelta:
        return timedelta(minutes=self.detection_minutes)

    @property
    def tta(self) -> timedelta:
        return timedelta(minutes=self.acknowledgement_minutes)


SeverityName = Literal["SEV-1", "SEV-2", "SEV-3", "SEV-4"]

CONTACTS = {
    "on_call": Contact(name="TBD", contact="PagerDuty"),
    "database_admin": Contact(name="TBD", contact="Slack #db-team"),
    "infrastructure_lead": Contact(name="TBD", contact="Slack #infra"),
    "security_team": Contact(name="TBD", contact="security@clickview.app"),
}
SEVERITY: dict[SeverityName, SeverityLevel] = {
    "SEV-1": SeverityLevel(description="Complete service outage", response_minutes=0),
    "SEV-2": SeverityLevel(description="Partial outage affecting >50% users", response_minutes=15),
    "SEV-3": SeverityLevel(description="Degraded performance", response_minutes=60),
    "SEV-4": SeverityLevel(description="Minor issues", response_minutes=240),
}
