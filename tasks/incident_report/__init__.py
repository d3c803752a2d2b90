"""The post-mortem document of an incident, made from what machines and people noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from checks.incident_view import view_of
from recovery.errors import GateRefused, SettingsInvalid
from recovery.incident import open_incident_folder
from recovery.ownership import make_state_folder, replace_ours
from recovery.site import site
from tasks.incident_copies import IncidentCopies
from tasks.incident_report.contents import post_mortem
from tasks.incident_report.gathered import gather
from tasks.incident_report.markdown import as_markdown
from tasks.incident_report.page import as_page
from tasks.known_incidents import LOOK_SECONDS, find_incident


@dataclass(frozen=True)
class WrittenReport:
    """Where the two files are, and what could not be looked at for them."""

    markdown: Path
    html: Path
    unseen: tuple[str, ...]


def write_report(incident_id: str, out: Path | None) -> WrittenReport:
    """Write the report of an incident into a folder: its own, with a copy in the bucket, or the one that is given.

    Raises: GateRefused when nobody knows it, or the folder is none.
    """
    known, unseen = find_incident(incident_id)
    now = datetime.now(UTC)
    document = post_mortem(gather(view_of(known, site().settings, now), look_in_bucket=not unseen), now)
    folder = out or open_incident_folder(site().incidents_dir, known.id).folder
    written = WrittenReport(folder / f"{known.id}.md", folder / f"{known.id}.html", unseen)
    _write(folder, {written.markdown: as_markdown(document), written.html: as_page(document)})
    return written if out else _copied(written)


def _write(folder: Path, texts: dict[Path, str]) -> None:
    try:
        make_state_folder(folder)
        for path, text in texts.items():
            replace_ours(path, text, rights=0o640)
    except (NotADirectoryError, FileExistsError) as error:
        raise GateRefused(f"{folder} is no folder", "name another one with --out") from error
    except OSError as error:
        raise SettingsInvalid(f"{folder} cannot be written: {error.strerror}", "name another one with --out") from error


def _copied(written: WrittenReport) -> WrittenReport:
    incident = open_incident_folder(site().incidents_dir, written.markdown.stem)
    copies = IncidentCopies(incident)
    for file in (written.markdown, written.html):
        copies.copy(file)
    trouble = copies.finish(None if written.unseen else LOOK_SECONDS)
    missed = (f"the bucket, which does not have the report: {trouble}",) if trouble else ()
    return WrittenReport(written.markdown, written.html, (*written.unseen, *missed))
