"""What this site's own recoveries took: the estimates of the next plan."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

from recovery.incident import incident_folders
from recovery.site import site


def measured_recoveries(scenario: str) -> dict[str, timedelta]:
    """How long each way took in the median, of those that brought this scenario to its end on this machine."""
    seconds: dict[str, list[float]] = {}
    for folder in incident_folders(site().incidents_dir):
        known = folder.read()
        for one in known.of_kind("option") if known.scenario == scenario else ():
            if one.details.get("outcome") == "recovered":
                seconds.setdefault(str(one.details["option"]), []).append(float(one.details["seconds"]))
    return {option: timedelta(seconds=median(known)) for option, known in seconds.items()}
