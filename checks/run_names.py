"""What a run is called: what it does, as a person would say it in one line."""

from __future__ import annotations

from datetime import datetime

from checks.moment import read_moment

LONGEST = 120


def application_failure_name(
    mode: str = "approve",
    incident: str | None = None,
    option: str = "best",
    replicas: int = 5,
    component: str = "backend",
    occurred: str | None = None,
    detected: str | None = None,
    started_by: str | None = None,
    take_over: str | None = None,
    drill: bool = False,
) -> str:
    """`recover the backend (INC-4711)`, `look at the frontend`, `drill: recover the backend`."""
    what = f"{'look at' if mode == 'plan' else 'recover'} the {component}"
    way = "" if option == "best" else f" by {option}"
    return f"{'drill: ' if drill else ''}{what}{way}{f' ({incident})' if incident else ''}"


def application_scale_back_name(
    component: str = "backend", incident: str | None = None, take_over: str | None = None
) -> str:
    """`scale the backend back`."""
    return f"scale the {component} back{f' ({incident})' if incident else ''}"


def backup_name(kind: str = "incr", repo: str = "all") -> str:
    """`full backup`, `incr backup into repository 2`."""
    return f"{kind} backup" if repo == "all" else f"{kind} backup into repository {repo}"


def backup_check_name(repo: str = "all", read_files: bool = True) -> str:
    """`backup check`, `backup check of repository 2, lists only`."""
    return f"backup check{_of(repo)}{'' if read_files else ', lists only'}"


def backup_expire_name(backup_id: str | None = None, repo: str = "all", dry_run: bool = True) -> str:
    """`expire backups`, `expire backup 20261127-094735F, only shown`."""
    what = f"backup {backup_id}" if backup_id else "backups"
    return f"expire {what}{_of(repo)}{', only shown' if dry_run else ''}"


def data_check_name(database: str | None = None) -> str:
    """`data check of clickview_restored`."""
    return f"data check of {database or 'the live database'}"


def restore_name(
    target_time: str | None = None,
    target_lsn: str | None = None,
    target_name: str | None = None,
    backup_id: str | None = None,
    target_database: str | None = None,
    source_region: str | None = None,
    source_bucket: str | None = None,
    validate_only: str = "no",
    target_timeline: int | None = None,
    accept_failed_checks: str | None = None,
    drop_failed: bool = False,
) -> str:
    """`restore to 2026-11-27 09:47:35Z`, `restore of backup 20261127-094735F, only proven (data)`."""
    if target_time:
        target = f"to {_moment(target_time)}"
    elif target_lsn:
        target = f"to LSN {target_lsn}"
    elif target_name:
        target = f"to restore point {target_name}"
    else:
        target = f"of backup {backup_id}" if backup_id else "to the newest moment"
    source = source_region or source_bucket
    return "".join(
        (
            f"restore {target}",
            f" on timeline {target_timeline}" if target_timeline else "",
            f" from {source}" if source else "",
            f" as {target_database}" if target_database else "",
            "" if validate_only == "no" else f", only proven ({validate_only})",
            ", accepting failed checks" if accept_failed_checks else "",
            ", dropped if checks fail" if drop_failed else "",
        )
    )


def restore_test_name(level: str = "data", moment: str = "random", repo: str = "all") -> str:
    """`restore test, random moment`."""
    return f"restore test{_of(repo)}, {moment} moment{'' if level == 'data' else ', rows not checked'}"


def site_prepare_name(
    apply: bool = False,
    restart: bool = False,
    first_backup: bool = False,
    replace_archive_command: bool = False,
    upgrade_stanza: bool = False,
) -> str:
    """`prepare the site, only shown`."""
    parts = [
        " with restart" if restart else "",
        " and first backup" if first_backup else "",
        ", archive command replaced" if replace_archive_command else "",
        ", stanza upgraded" if upgrade_stanza else "",
    ]
    return f"prepare the site{''.join(parts)}{'' if apply else ', only shown'}"


def _of(repo: str) -> str:
    return "" if repo == "all" else f" of repository {repo}"


def _moment(text: str) -> str:
    """A moment in UTC, to the second where that says it all; what is no moment stays as it was typed."""
    moment = read_moment(text)
    if not isinstance(moment, datetime):
        return text
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}".removesuffix(".000000") + "Z"
