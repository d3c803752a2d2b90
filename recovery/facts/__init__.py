"""What the probes found: frozen, typed, with the unit in the name."""

from recovery.facts.application import ApplicationFacts, HealthFacts
from recovery.facts.approval import Answer, Request
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
from recovery.facts.incident import EvidenceFile, Incident, IncidentEvent, Moment
from recovery.facts.plan import Mode, Option, Plan, PlanFact, PlannedAction, Policy
from recovery.facts.report import Outcome, RecoveryReport
from recovery.facts.restore import LeftOut, ReachedPoint, RecoveryTarget, RestorePlan, TargetKind
from recovery.facts.run import Progress, Refusal
from recovery.facts.server import Change, DatabaseAddress, Observation, ServerFacts
from recovery.facts.services import ServiceFacts, ServiceState
from recovery.facts.workloads import (
    AutoscalerFacts,
    BudgetFacts,
    ContainerFacts,
    DeploymentFacts,
    PodFacts,
    PodUsage,
    RevisionFacts,
    Rollout,
    RolloutCause,
    WorkloadEvent,
)

__all__ = [
    "Answer",
    "ApplicationFacts",
    "ArchivedCluster",
    "ArchivedSegment",
    "AutoscalerFacts",
    "BackupKind",
    "BackupSet",
    "BrokenRule",
    "BudgetFacts",
    "Change",
    "CheckLevel",
    "CheckReport",
    "CheckResult",
    "CheckStatus",
    "ContainerFacts",
    "DatabaseAddress",
    "DeploymentFacts",
    "EvidenceFile",
    "HealthFacts",
    "Incident",
    "IncidentEvent",
    "LeftOut",
    "Mode",
    "Moment",
    "Observation",
    "Option",
    "Outcome",
    "Plan",
    "PlanFact",
    "PlannedAction",
    "PodFacts",
    "PodUsage",
    "Policy",
    "Progress",
    "ReachedPoint",
    "RecordedFacts",
    "RecoveryReport",
    "RecoveryTarget",
    "Refusal",
    "RepoFacts",
    "Request",
    "RestorePlan",
    "RevisionFacts",
    "Rollout",
    "RolloutCause",
    "ServerFacts",
    "ServiceFacts",
    "ServiceState",
    "TableCount",
    "TargetKind",
    "UnaskedRule",
    "WalRange",
    "WalState",
    "Witness",
    "WorkloadEvent",
]
