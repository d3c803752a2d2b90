"""Which steps need a person, and for how long an answer is waited for and holds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recovery.settings.promises import SeverityName
from recovery.settings.section import Section

Policy = Literal["auto", "approve", "never"]
BySeverity = dict[SeverityName | Literal["default"], Policy]


class PolicySettings(Section):
    """Per action: auto (no person), approve (a person says yes first), never (not by us).

    One word, or one for each severity: {default = "approve", SEV-1 = "auto"}.
    """

    delete_failed_pods: Policy | BySeverity = Field("auto", description="delete pods that have failed")
    restart_application: Policy | BySeverity = Field("auto", description="replace the application's pods in turn")
    roll_back: Policy | BySeverity = Field("approve", description="run the version before the newest one again")
    scale_up: Policy | BySeverity = Field("auto", description="run more pods, and move the autoscaler's limits")

    def of(self, action: str, severity: str) -> Policy:
        """What holds for an action in an incident of this severity; an unknown action needs a person."""
        told: Policy | BySeverity = getattr(self, action, "approve")
        if isinstance(told, str):
            return told
        return next((policy for name, policy in told.items() if name == severity), told.get("default", "approve"))


class ApprovalSettings(Section):
    """How a person is asked."""

    wait_minutes: float = Field(30, gt=0, le=1440, description="how long an answer is waited for")
    valid_minutes: float = Field(60, gt=0, le=1440, description="how long an approval holds")
    policy: PolicySettings = Field(PolicySettings(), description="per action: auto, approve or never")

    @property
    def wait_seconds(self) -> float:
        return self.wait_minutes * 60.0
