"""Every option of every command, and every parameter of every deployment, has a drill that shows it work, and one
that sees it refused. What there is to show is read from the commands themselves: CONTRIBUTING.md, "Add an option"."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.drilled import Mark, commands, deployments, marks, options, read_marks, typed

# Reviewed: what has no drill of its own, and why. A value given to one of these flags is refused: see below.
NEVER_REFUSED = {
    "--drill": "it only says how the incident counts",
    "--json": "it changes only how the answer is written",
    "--no-server": "it only leaves out the server, which is never needed",
    "--verbose": "it only shows more",
    "--open": "it only leaves out what is over",
    "--prepare": "it is so without it, too; its opposite --no-prepare has a drill",
}
NOT_OURS = {
    "--install-completion": "typer's own: it writes into the start-up file of a shell",
    "--show-completion": "typer's own: it prints what the other writes",
}

# Which command starts a deployment's flow, and which of its options becomes a parameter of another name.
COMMAND_OF = {
    "application-failure": "application-failure",
    "application-scale-back": "application scale-back",
    "backup": "backup run",
    "backup-check": "backup check",
    "backup-expire": "backup expire",
    "data-check": "backup verify",
    "restore": "backup restore",
    "restore-test": "backup test",
    "site-prepare": "site prepare",
}
OPTION_OF = {"kind": "--type", "read_files": "--quick", "validate_only": "--validate-only", "started_by": "--by"}

FOUND = marks()


def shown(kind: str, found: list[Mark] = FOUND) -> set[str]:
    return {name for mark in found if mark.kind == kind for name in mark.names}


def ours() -> set[str]:
    return {one for one in options() if last(one) not in NOT_OURS}


def last(option: str) -> str:
    return option.split()[-1]


def parameter(deployment: str, name: str) -> tuple[str, str]:
    """A parameter as a drill of the API names it, and as an option of its command."""
    option = OPTION_OF.get(name, f"--{name.replace('_', '-')}")
    return f"deployment {deployment} {name}", f"{COMMAND_OF[deployment]} {option}"


def test_every_option_has_a_drill_in_which_it_works() -> None:
    missing = sorted(ours() - shown("works"))
    assert not missing, f"no drill shows that these work: {', '.join(missing)}"


def test_every_option_has_a_drill_in_which_it_is_refused() -> None:
    missing = sorted(one for one in ours() - shown("refuses") if last(one) not in NEVER_REFUSED)
    assert not missing, f"no drill sees these refused: {', '.join(missing)}"


@pytest.mark.parametrize("kind", ["works", "refuses"])
def test_every_parameter_of_a_deployment_has_its_drill_or_its_options(kind: str) -> None:
    """What a command passes on is shown by the command; that the API takes it is shown once for each deployment."""
    drilled = shown(kind)
    named = [parameter(deployment, name) for deployment, names in deployments().items() for name in names]
    missing = [by_api for by_api, option in named if by_api not in drilled and option not in drilled]
    assert not missing, f"no drill {kind} these, nor the options that pass them on: {', '.join(missing)}"
    by_api = {mark.command for mark in FOUND if mark.kind == kind}
    missing = [name for name in deployments() if f"deployment {name}" not in by_api]
    assert not missing, f"no drill {kind} anything of these by the API: {', '.join(missing)}"


def test_every_marker_names_what_there_is() -> None:
    known = options() | {f"deployment {name} {one}" for name, found in deployments().items() for one in found}
    wrong = [f"{mark.test}: {sorted(mark.names - known)}" for mark in FOUND if mark.names - known or not mark.options]
    assert not wrong, f"these markers name what is not there: {'; '.join(wrong)}"


def test_an_option_becomes_the_parameter_that_it_is_said_to_become() -> None:
    passed = {parameter(deployment, name)[1] for deployment, names in deployments().items() for name in names}
    assert sorted(passed - options()) == []


def test_what_is_reviewed_is_there_and_needs_to_be() -> None:
    assert {*NEVER_REFUSED, *NOT_OURS} <= {last(one) for one in options()}
    assert sorted(one for one in shown("refuses") if last(one) in NEVER_REFUSED) == []


def flags() -> list[Any]:
    return [
        pytest.param(command, option, id=f"{name} {option}".strip())
        for name, command in commands()
        for one in command.params
        for option in typed(one)
        if option in NEVER_REFUSED
    ]


@pytest.mark.parametrize(("command", "option"), flags())
def test_what_is_never_refused_takes_no_value(command: Any, option: str) -> None:
    with pytest.raises(Exception, match=f"Option '{option}' does not take a value"):
        command.make_context("recover", [f"{option}=yes"])


def test_a_new_option_without_its_drill_would_be_named() -> None:
    text = "@pytest.mark.works('backup list --repo', 'backup drop-copy NAME')\ndef test_it(): ...\n"
    found = list(read_marks(text, "test_new.py"))
    assert shown("works", found) == {"backup list --repo", "backup drop-copy NAME"}
    assert shown("refuses", found) == set()
    assert {"backup list --repo", "backup list --json"} - shown("works", found) == {"backup list --json"}


def test_a_marker_that_no_test_carries_would_be_found() -> None:
    with pytest.raises(ValueError, match=r"test_new\.py: no test carries the marker in line 1"):
        list(read_marks("@pytest.mark.works('backup list --repo')\ndef prove(): ...\n", "test_new.py"))
