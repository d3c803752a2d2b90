"""What the site held when a backup was taken: recorded from the source, read again when the backup is restored."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from checks.restored_data import HEARTBEAT, newest_heartbeat, source_rules, stale_collations
from recovery.adapters.postgres.record import Snapshot, snapshot, standstill
from recovery.adapters.postgres.replay_pause import ReplayStaysPaused
from recovery.catalog import table_name
from recovery.errors import RecoveryError
from recovery.facts import BackupSet, RecordedFacts, TableCount, Witness
from recovery.site import site
from recovery.wal import format_lsn, parse_lsn
from tasks.step import action, note, probe, warn

_FACTS, _COUNTS = "facts-lsn", "facts-rows"
_RECORD = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?\.json")
_WITNESS_SECONDS = 20.0  # a copy waits for it; a live database that is slower does not hold the restore up
_DOCUMENT = TypeAdapter(RecordedFacts)


@probe
def record_site_facts() -> RecordedFacts:
    """Note tables, keys and row counts: of the paused standby (exact at one LSN), else of the live primary."""
    if site().settings.standby:
        mark = site().settings.site.state_dir / "standby-paused"
        try:
            with standstill(site().standby_address(), site().standby_reader_address(), mark) as source:
                return facts_of(source)
        except ReplayStaysPaused as error:
            warn(f"{error.problem}; {error.next_step}. The next backup tries it again")
        except RecoveryError as error:
            note(f"rows are counted on the primary, as the standby cannot serve ({error.problem.splitlines()[0]})")
    with snapshot(site().reader_address()) as source:
        return facts_of(source)


def facts_of(source: Snapshot) -> RecordedFacts:
    """What a source held still says of itself and of its rows."""
    catalog = source.catalog()
    facts = source.record(catalog, source_rules(catalog, datetime.now(UTC)))
    beats = source.column(newest_heartbeat(catalog)) if catalog.has(HEARTBEAT, "at") else None
    return replace(
        facts,
        stale_collations=source.column(stale_collations(catalog)),
        heartbeat_at=next(iter(beats or ()), None),
    )


def read_witness() -> Witness | None:
    """Ask the live database what it is like today: that explains what changed since the record. None: it did not say."""
    try:
        with snapshot(site().reader_address(), seconds=_WITNESS_SECONDS) as source:
            catalog = source.catalog()
            return Witness(catalog, *source.sequences(catalog))
    except RecoveryError as error:
        note(f"the live database could not be asked what changed since the backup: {error.problem.splitlines()[0]}")
        return None


@action
def keep_record(backup: BackupSet, facts: RecordedFacts) -> None:
    """Put the record beside its set, in the same bucket, and note on the set where it was taken. Idempotent."""
    site().records(backup.repo).keep(_name(backup.label), _DOCUMENT.dump_json(facts, indent=1))
    position = f"{format_lsn(facts.lsn)} {'exact' if facts.exact else 'near'} {facts.at.astimezone(UTC).isoformat()}"
    site().backups.annotate(backup.label, backup.repo, {_FACTS: position})


def read_record(backup: BackupSet) -> RecordedFacts | None:
    """The record of a set; None when none was made. One that cannot be read is said, and not missed silently."""
    if _FACTS not in backup.annotations:
        return None
    try:
        if _COUNTS in backup.annotations:
            return _from_annotations(backup)
        document = site().records(backup.repo).read(_name(backup.label))
        if document is not None:
            return _DOCUMENT.validate_json(document)
        problem = "it is gone"
    except (RecoveryError, ValueError) as error:  # pydantic's own is a ValueError
        problem = error.problem if isinstance(error, RecoveryError) else "it cannot be understood"
    warn(f"the record of backup {backup.label} cannot be read, so the copy is not compared with it: {problem}")
    return None


@action
def forget_records(repo: int) -> None:
    """Delete the records of sets that are no longer there. Idempotent.

    The names are read before the sets: the record of a backup that ends in between is not among them.
    """
    records = site().records(repo)
    names = [name for name in records.names() if _RECORD.fullmatch(name)]
    kept = {_name(one.label) for one in site().backups.read_sets(repo)}
    for name in names if kept else ():  # a repository without any set is no reason to delete
        if name not in kept:
            records.remove(name)


def _name(label: str) -> str:
    return f"{label}.json"


def _from_annotations(backup: BackupSet) -> RecordedFacts:
    """What earlier versions wrote on the set itself: counts, and no catalog."""
    lsn, exact, at = backup.annotations[_FACTS].split(" ")
    pairs = (pair.rsplit(":", 1) for pair in backup.annotations[_COUNTS].split(",") if ":" in pair)
    counts = tuple(TableCount(table_name(table), int(rows)) for table, rows in pairs if rows.isdigit())
    return RecordedFacts(parse_lsn(lsn), datetime.fromisoformat(at), exact == "exact", counts)
