"""What a restore brought back, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.cli.output import print_json, table

if TYPE_CHECKING:
    from recovery.adapters.pgbackrest.copies import CopyOwner
    from recovery.facts import CheckReport
    from tasks.restore_report import RestoreReport


def show_restored(report: RestoreReport, as_json: bool) -> None:
    """The metrics table, and where the restored data is."""
    if as_json:
        print_json(report)
        return
    from checks.objectives import shown_span

    rows = [
        (m.metric, f"< {shown_span(m.target)}", shown_span(m.actual), {True: "yes", False: "NO", None: ""}[m.met])
        for m in report.metrics
    ]
    if report.recovery_point:
        rows.append(
            ("Recovery point", str(report.plan.target), f"{report.recovery_point:%Y-%m-%d %H:%M:%S.%f} UTC", "")
        )
    if rows:
        table(("metric", "target", "actual", "met"), rows)
    if report.reached:
        print(f"Proof: {report.reached.proof}")
    if report.checks:
        print(f"Checks: {counted(report.checks)}")
        show_findings(report.checks)
    if report.accepted:
        print(f"Failed checks were accepted: {report.accepted}")
    print(_whereabouts(report))
    if report.left_out:
        whole = "" if any(one.of_rows for one in report.left_out) else " (all rows are there)"
        print(f"Left out of {report.database}{whole}:")
    for one in report.left_out:
        print(f"  {one.what}: {one.why}" + (f"\n    {one.statement}" if one.statement else ""))


def counted(checks: CheckReport) -> str:
    """How many checks passed, failed, warned, were not made."""
    passed = sum(one.passed for one in checks.results)
    others = (("warnings", checks.warnings), ("not checked", checks.not_checked))
    named = [f"{len(results)} {what}" for what, results in others if results]
    return ", ".join([f"{passed} passed", f"{len(checks.failures)} failed", *named])


def show_findings(checks: CheckReport) -> None:
    """What did not pass, worst first."""
    for title, results in (
        ("Failed", checks.failures),
        ("Warnings", checks.warnings),
        ("Not checked", checks.not_checked),
    ):
        rows = [(one.suite, one.name, one.expected, one.found) for one in results]
        if rows:
            table(("suite", "check", "expected", "found"), rows, title=title)


def _whereabouts(report: RestoreReport) -> str:
    if report.database:
        return f"The database is on the site's server under the name {report.database}."
    if report.copy and report.address:
        where = report.address
        return (
            f"The copy {report.copy} runs beside the site:\n"
            f"  {where.psql}\n"
            f"Drop it when you are done: recover backup drop-copy {report.copy}"
        )
    return f"Backup {report.plan.backup.label} is proven ({report.level}); nothing was kept."


def _state(owner: CopyOwner) -> str:
    if owner.kept:
        return owner.verdict or "kept"
    return "in work" if owner.alive else "left over"


def show_copies(as_json: bool) -> None:
    """The restored copies that are there."""
    from recovery.site import site

    copies = site().copies
    found: list[dict[str, Any]] = []
    for name in copies.names():
        owner = copies.owner(copies.find(name))
        state = "unfinished" if owner is None else _state(owner)
        found.append(
            {
                "name": name,
                "state": state,
                **({} if owner is None else {"backup": owner.backup, "target": owner.target, "made_at": owner.made_at}),
            }
        )
    if as_json:
        print_json(found)
    elif found:
        table(
            ("copy", "state", "backup", "target"),
            [(c["name"], c["state"], c.get("backup", ""), c.get("target", "")) for c in found],
        )
    else:
        print("There are no restored copies.")
