"""What a restore brought back: its plan and its report as tables, and whether it may be called a success."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from checks.objectives import Measured, shown_span
from recovery.errors import VerificationFailed
from recovery.facts import CheckReport, DatabaseAddress, LeftOut, ReachedPoint, RestorePlan
from tasks.artifacts import publish_table
from tasks.data import summary

_NOBODY_LOOKED = "nobody could look at the restored data"

Level = Literal["no", "files", "restore", "data"]


@dataclass(frozen=True)
class RestoreReport:
    """What a restore brought back, proven and timed."""

    plan: RestorePlan
    level: Level
    recovery_seconds: float
    reached: ReachedPoint | None = None
    recovery_point: datetime | None = None
    metrics: tuple[Measured, ...] = ()
    checks: CheckReport | None = None
    copy: str | None = None
    address: DatabaseAddress | None = None
    database: str | None = None
    accepted: str | None = None  # why the data was handed out although checks fail
    left_out: tuple[LeftOut, ...] = ()  # what could not be made in that database
    not_loaded: str | None = None  # why it is not on the site's server, though it was wanted there

    @property
    def withheld(self) -> bool:
        """Whether checks speak against the data and nobody has accepted that."""
        return self.checks is not None and not self.checks.passed and self.accepted is None


def show_plan(plan: RestorePlan) -> None:
    """The plan as a table."""
    rows = {
        "backup set": f"{plan.backup.label} ({plan.backup.kind}) from repository {plan.backup.repo}",
        "target": str(plan.target),
        "timeline": str(plan.timeline),
        "WAL": f"{plan.first_segment} … {plan.last_segment} ({plan.segments} segments)",
        "space": f"{plan.needed_bytes / 1e9:.2f} GB",
        "expected": f"{plan.expected_seconds:.0f} s",
        "passed over": "; ".join(plan.rejected) or "nothing",
    }
    publish_table(
        "restore-plan", [{"what": what, "value": value} for what, value in rows.items()], "Plan of the restore"
    )


def show_report(report: RestoreReport) -> None:
    """The report as a table: promised and measured."""
    rows = [
        {
            "metric": one.metric,
            "target": f"< {shown_span(one.target)}",
            "actual": shown_span(one.actual),
            "met": _met(one),
        }
        for one in report.metrics
    ]
    point = f"{report.recovery_point:%Y-%m-%d %H:%M:%S.%f} UTC" if report.recovery_point else "none"
    if report.checks:
        rows.append(
            {"metric": "Data checks", "target": "none fail", "actual": summary(report.checks), "met": _accepted(report)}
        )
    rows += [{"metric": "Left out", "target": one.what, "actual": str(one), "met": "NO"} for one in report.left_out]
    rows.append({"metric": "Recovery point", "target": str(report.plan.target), "actual": point, "met": ""})
    publish_table("restore-report", rows, "Report of the restore")


def _accepted(report: RestoreReport) -> str:
    """Whether the checks held, or who took it upon themselves."""
    return "NO" if report.withheld else f"accepted: {report.accepted}" if report.accepted else "yes"


def _met(one: Measured) -> str:
    return {True: "yes", False: "NO", None: "as asked"}[one.met]


def require_handed_over(report: RestoreReport) -> None:
    """The run fails when the data is not where it was wanted; what is kept is said, and how to go on.

    Raises: VerificationFailed.
    """
    if report.not_loaded:
        gone = report.address is not None and not report.address.name
        way = "restore to a moment before the database was dropped" if gone else "load it by hand"
        raise VerificationFailed(f"{report.not_loaded}; {_kept(report)}", f"{way}, or {_drop(report)}")
    checks = report.checks
    if checks is None or not report.withheld:
        return
    found = f"the restored data fails {len(checks.failures)} checks; the first" if checks.failures else _NOBODY_LOOKED
    following = "restore to an earlier moment, before the damage"
    if report.copy:
        following += f"; take the data as it is with --accept-failed-checks REASON; or {_drop(report)}"
    raise VerificationFailed(
        f"{found}: {checks.worst}; {_kept(report)}", f"read checks.html in the folder of this run; {following}"
    )


def _kept(report: RestoreReport) -> str:
    where = report.address
    if report.copy is None or where is None:
        return "nothing was kept"
    return f"the copy {report.copy} is kept: {where.psql}"


def _drop(report: RestoreReport) -> str:
    return f"drop it: recover backup drop-copy {report.copy}"
