"""What a step may ask of each role. The site's settings say which product plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from recovery.catalog import Catalog
from recovery.expectation import Expectation
from recovery.facts import (
    ArchivedCluster,
    BackupKind,
    BackupSet,
    CheckReport,
    CheckResult,
    DatabaseAddress,
    DeploymentFacts,
    PodUsage,
    Progress,
    RepoFacts,
    Rollout,
    ServerFacts,
    ServiceFacts,
    WorkloadEvent,
)


class Database(Protocol):
    """The primary."""

    def read_facts(self) -> ServerFacts:
        """What it is and where it stands."""

    def beat(self) -> datetime:
        """Write the heartbeat row; the moment it says."""

    def switch_wal(self) -> str:
        """Close the current WAL segment; its name."""

    def wait_until_archived(self, segment: str, *, seconds: float) -> None:
        """Wait until a segment has reached the archive."""


class BackupStore(Protocol):
    """The repositories: backup sets and the WAL archive."""

    def version(self) -> tuple[int, int]:
        """The version of the engine."""

    def read_sets(self, repo: int) -> tuple[BackupSet, ...]:
        """The sets of one repository, oldest first."""

    def read_cluster(self, repo: int) -> ArchivedCluster | None:
        """Whose backups one repository takes now, if it says so."""

    def read_repo(self, repo: int, segment_bytes: int, of_set: str | None = None) -> RepoFacts:
        """Everything one repository holds of today's cluster, or of that of a set; one that cannot be read is a fact."""

    def verify(self, repo: int) -> tuple[str, ...]:
        """Read every file; what is damaged, a line each."""

    def back_up(
        self, kind: BackupKind, repo: int, annotations: Mapping[str, str], on_progress: Callable[[Progress], None]
    ) -> tuple[str, bool]:
        """Take a backup; its label, and whether the standby gave the files."""

    def annotate(self, label: str, repo: int, annotations: Mapping[str, str]) -> None:
        """Note something on a set."""

    def expire(self, repo: int, *, label: str | None = None, kept_fulls: int | None = None) -> None:
        """Drop one set, or all but the newest full ones."""

    def server_settings(self) -> dict[str, str]:
        """What the database server must be told so that its WAL comes here."""

    def is_own_archive_command(self, command: str) -> bool:
        """Whether this archive_command is one of ours, of today or of before."""

    def configuration_is_current(self, through: str) -> bool:
        """Whether the engine's configuration is what the settings say today."""

    def write_configuration(self, through: str) -> None:
        """Generate the engine's configuration."""

    def create_stanza(self) -> None:
        """Make the repositories ready for this database."""

    def create_stanza_in(self, repo: int, through: str) -> None:
        """Make one repository ready for this database, whatever the others are."""

    def upgrade_stanza(self) -> None:
        """Have the repositories take this cluster's backups in the place of another's."""

    def forget_pushed_wal(self) -> None:
        """Forget which WAL has arrived: it was another cluster's, or arrived elsewhere."""

    def check_archiving(self) -> None:
        """Prove that WAL reaches every repository."""


class Documents(Protocol):
    """A place that outlives this machine."""

    def keep_folder(self, folder: Path, name: str) -> None:
        """Copy all files of a folder there."""

    def keep(self, name: str, content: bytes) -> None:
        """Write one document."""

    def read(self, name: str) -> bytes | None:
        """One document, or None."""

    def names(self) -> tuple[str, ...]:
        """The names of all documents."""

    def sizes(self) -> dict[str, int]:
        """The names of all documents, and how many bytes each has."""

    def remove(self, name: str) -> None:
        """Delete one document, if it is there."""


@dataclass(frozen=True)
class VersionedDocument:
    """A document as it was seen: which version, and how old by the store's own clock."""

    content: bytes
    version: str
    age_seconds: float


class VersionedDocuments(Protocol):
    """A place where a document is replaced only when it is still the one that was seen."""

    def look(self, name: str) -> VersionedDocument | None:
        """One document, or None."""

    def swap(self, name: str, content: bytes, version: str | None) -> str | None:
        """Write it in the place of a version, or of none; the new version, or None when another one is there."""


class DataChecks(Protocol):
    """Looks at what a database holds."""

    def warm_up(self) -> None:
        """Get ready in the background; returns at once."""

    def run(
        self,
        address: DatabaseAddress,
        suite: tuple[Expectation, ...],
        *,
        files: Callable[[], tuple[CheckResult, ...]] | None = None,
        seconds: float | None = None,
    ) -> CheckReport:
        """Look at every expectation of a suite, within `seconds` or the site's own deadline.

        `files` looks at the files of a copy of ours at the same time.
        """

    def close(self) -> None:
        """Let go of whatever was made ready."""


class Inspection(Protocol):
    """Looks at what a database says of itself, and at its files."""

    def read_catalog(self, address: DatabaseAddress) -> Catalog:
        """Tables, keys and constraints."""

    def check_files(self, address: DatabaseAddress, *, superuser: bool) -> tuple[CheckResult, ...]:
        """Look for damaged tables and indexes. `superuser`: of a copy of ours, as its superuser."""


class Service(Protocol):
    """Something that runs, by its locator: a container, a unit, a deployment, a process.

    Every action looks first and does nothing when it is so already; it returns when the state is
    really there. Raises: VerificationFailed, with the last log lines, when it is not there at the
    deadline; what cannot be looked at is an error, too, and never "stopped".
    """

    @property
    def locator(self) -> str:
        """How the settings name it: docker:clickview-db."""

    def read_facts(self) -> ServiceFacts:
        """Whether it runs, since when, how it ended."""

    def start(self) -> None:
        """Have it run, and be healthy where it has a health check; one that is frozen goes on."""

    def stop(self) -> None:
        """Have it end in order."""

    def restart(self) -> None:
        """Stop it in order and start it again; one that does not run is started."""

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        """Its last log lines, secrets masked; none before `since` where the lines tell when they were written."""


class Workloads(Protocol):
    """What runs the application: deployments and their pods."""

    def read_deployment(self, name: str) -> DeploymentFacts:
        """A deployment with its pods, versions, autoscaler and budgets."""

    def read_events(self, deployment: DeploymentFacts) -> tuple[WorkloadEvent, ...]:
        """What the cluster noted of it, its versions and its pods, oldest first."""

    def read_usage(self, deployment: DeploymentFacts) -> tuple[PodUsage, ...] | None:
        """What its pods use; None when the cluster has no metrics API."""

    def read_log(self, pod: str, *, lines: int, previous: bool = False) -> str:
        """The last lines of a pod, or of its container before the last restart."""

    def read_specification(self, name: str) -> str:
        """A deployment as the cluster keeps it, as JSON, without what may hold secrets."""

    def missing_rights(self, name: str) -> tuple[str, ...]:
        """What we may not do to this deployment: `patch deployments/clickview-backend`, one each."""

    def delete_failed_pods(self, name: str) -> tuple[str, ...]:
        """Delete the pods that have failed, and no others; their names."""

    def restart(self, name: str, token: str) -> None:
        """Replace every pod, one after the other. The same token twice restarts once."""

    def roll_back(self, name: str, revision: int) -> None:
        """Have it run a former version again."""

    def scale(self, name: str, replicas: int) -> None:
        """Have another number of pods; moves the autoscaler's limits when they are in the way, and notes what was."""

    def scale_back(self, name: str) -> int | None:
        """Give it the size, and the autoscaler the limits, that `scale` noted; the size, or None when nothing is noted."""

    def follow_rollout(
        self, name: str, *, seconds: float, on_progress: Callable[[Progress], None]
    ) -> tuple[Rollout, DeploymentFacts]:
        """Watch a rollout until it is done, hangs for a reason that waiting does not cure, or the deadline is there."""
