"""What this site's own recoveries took: the estimates of the next plan."""

from __future__ import annotations

from datetime import timedelta

from checks.history import median_recoveries
from tasks.incidents import past_incidents


def measured_recoveries(scenario: str) -> dict[str, timedelta]:
    """How long each way took in the median, of those that brought this scenario to its end."""
    return median_recoveries(past_incidents(), scenario)
