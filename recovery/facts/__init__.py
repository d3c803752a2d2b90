"""What the probes found: frozen, typed, with the unit in the name."""

from recovery.facts.backups import (
    ArchivedCluster,
    ArchivedSegment,
    BackupKind,
    BackupSet,
    RepoFacts,
    WalRange,
    WalState,
)
from recovery.facts.data import (
    BrokenRule,
    CheckLevel,
    CheckReport,
    CheckResult,
    CheckStatus,
    RecordedFacts,
    TableCount,
    UnaskedRule,
    Witness,
)
from recovery.facts.incident import Incident, IncidentEvent, Moment
from recovery.facts.restore import LeftOut, ReachedPoint, RecoveryTarget, RestorePlan, TargetKind
from recovery.facts.run import Progress, Refusal
from recovery.facts.server import Change, DatabaseAddress, Observation, ServerFacts

__all__ = [
    "ArchivedCluster",
    "ArchivedSegment",
    "BackupKind",
    "BackupSet",
    "BrokenRule",
    "Change",
    "CheckLevel",
    "CheckReport",
    "CheckResult",
    "CheckStatus",
    "DatabaseAddress",
    "Incident",
    "IncidentEvent",
    "LeftOut",
    "Moment",
    "Observation",
    "Progress",
    "ReachedPoint",
    "RecordedFacts",
    "RecoveryTarget",
    "Refusal",
    "RepoFacts",
    "RestorePlan",
    "ServerFacts",
    "TableCount",
    "TargetKind",
    "UnaskedRule",
    "WalRange",
    "WalState",
    "Witness",
]
