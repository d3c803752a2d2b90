"""What can go wrong, sorted by what the operator does next.

RecoveryError
├── SettingsInvalid      found before anything is touched
├── TargetUnreachable    transient: the only family that is retried
├── CommandFailed        a program ended badly; only the process runner raises it
├── GateRefused          a precondition does not hold; nothing was changed
├── VerificationFailed   the action ran, the world does not show it
├── Busy                 another recovery holds this site
├── NotApproved          refused, or nobody answered in time; nothing was changed
└── Interrupted          deadline or operator; says how to go on

Arguments are positional, because an exception has to survive pickling.
"""

from __future__ import annotations

from recovery.redaction import redact


class RecoveryError(Exception):
    """A problem, and what the operator does about it."""

    exit_code = 10
    transient = False

    def __init__(self, problem: str, next_step: str) -> None:
        self.problem = redact(problem)
        self.next_step = redact(next_step)
        super().__init__(self.problem, self.next_step)

    def __str__(self) -> str:
        return f"{self.problem}\nNEXT: {self.next_step}"


class SettingsInvalid(RecoveryError):
    """A setting is wrong or missing."""

    exit_code = 11


class TargetUnreachable(RecoveryError):
    """A server did not answer; asking again may help."""

    exit_code = 12
    transient = True


class CommandFailed(RecoveryError):
    """A program ended with an error.

    `argv` is redacted; `last_lines` are the last lines it wrote.
    """

    exit_code = 13

    def __init__(self, problem: str, next_step: str, argv: tuple[str, ...], status: int, last_lines: str) -> None:
        super().__init__(problem, next_step)
        self.argv = tuple(redact(word) for word in argv)
        self.status = status
        self.last_lines = redact(last_lines)
        self.args = (self.problem, self.next_step, self.argv, status, self.last_lines)

    def __str__(self) -> str:
        said = f"\n{self.last_lines}" if self.last_lines else ""
        return f"{self.problem}{said}\nNEXT: {self.next_step}"


class GateRefused(RecoveryError):
    """A precondition does not hold. Nothing was changed."""

    exit_code = 14


class VerificationFailed(RecoveryError):
    """The action ran, but the world does not show its effect."""

    exit_code = 15


class Busy(RecoveryError):
    """Another recovery holds this site."""

    exit_code = 16


class NotApproved(RecoveryError):
    """A person refused, or nobody answered in time. Nothing was changed."""

    exit_code = 17


class Interrupted(RecoveryError):
    """The run was stopped from outside, or its time was up."""

    exit_code = 18
