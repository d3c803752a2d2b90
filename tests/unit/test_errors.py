"""Errors: what is said, what is hidden, and numbers that scripts rely on."""

from __future__ import annotations

import pickle

import pytest

from recovery import errors
from recovery.errors import CommandFailed, RecoveryError
from recovery.redaction import remember_secret

EXIT_CODES = {
    "RecoveryError": 10,
    "SettingsInvalid": 11,
    "TargetUnreachable": 12,
    "CommandFailed": 13,
    "GateRefused": 14,
    "VerificationFailed": 15,
    "Busy": 16,
    "NotApproved": 17,
    "Interrupted": 18,
}
FAMILY = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RecoveryError)]


def made(kind: type[RecoveryError]) -> RecoveryError:
    if kind is CommandFailed:
        return CommandFailed("it failed", "look", ("tool", "--flag"), 3, "last line")
    return kind("it failed", "look")


def test_exit_codes_are_a_promise() -> None:
    assert {one.__name__: one.exit_code for one in FAMILY} == EXIT_CODES


def test_only_an_unreachable_target_is_worth_another_try() -> None:
    assert [one.__name__ for one in FAMILY if one.transient] == ["TargetUnreachable"]


@pytest.mark.parametrize("kind", FAMILY, ids=lambda one: one.__name__)
def test_every_error_survives_pickling(kind: type[RecoveryError]) -> None:
    error = made(kind)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (str(back), back.problem, back.next_step, vars(back)) == (str(error), "it failed", "look", vars(error))


def test_what_an_operator_reads() -> None:
    assert str(made(errors.GateRefused)) == "it failed\nNEXT: look"
    assert str(made(CommandFailed)) == "it failed\nlast line\nNEXT: look"
    assert str(CommandFailed("it failed", "look", ("tool",), 3, "")) == "it failed\nNEXT: look"


def test_no_secret_in_any_part_of_an_error() -> None:
    secret = remember_secret("hunter-of-errors")
    error = CommandFailed(f"a {secret}", f"b {secret}", ("tool", f"--x={secret}"), 1, f"c {secret}")
    for shown in (str(error), repr(error), repr(error.args), repr(vars(error)), pickle.dumps(error).decode("latin-1")):
        assert secret not in shown
    assert error.argv == ("tool", "--x=•••")
