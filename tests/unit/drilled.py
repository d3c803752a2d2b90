"""What `recover` and the deployments can be told, and which drills show it: for the test that compares the two."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml

from recovery.cli import app as cli

ROOT = Path(__file__).parents[2]
MARKS = ("works", "refuses")


@dataclass(frozen=True)
class Mark:
    """One `@pytest.mark.works("backup list --repo --json")` of a test."""

    test: str
    kind: str
    command: str
    options: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        return {f"{self.command} {option}".strip() for option in self.options}


def commands() -> Iterator[tuple[str, Any]]:
    """`recover` itself under the name "", every group and every command, hidden ones too."""
    yield "", typer.main.get_command(cli.app)
    for name, (module, _) in cli._GROUPS.items():
        yield from _below(name, typer.main.get_command(importlib.import_module(module).app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for inner, found in getattr(command, "commands", {}).items():
        yield from _below(f"{name} {inner}", found)


def options() -> set[str]:
    """`backup restore --target-time`, `backup drop-copy NAME`, `--config`: each as it is typed in full."""
    return {f"{name} {one}".strip() for name, command in commands() for param in command.params for one in typed(param)}


def typed(param: Any) -> list[str]:
    """How a parameter is written: its long form, and that of its opposite; an argument in capitals."""
    if param.param_type_name == "argument":
        return [str(param.name).upper()]
    return [max(forms, key=len) for forms in (param.opts, param.secondary_opts) if forms]


def deployments() -> dict[str, list[str]]:
    """The parameters of every deployment."""
    return {one["name"]: parameters(one["entrypoint"]) for one in _prefect_yaml()}


def parameters(entrypoint: str) -> list[str]:
    """The parameters of a flow."""
    module, _, name = entrypoint.rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    return list(inspect.signature(getattr(flow, "fn", flow)).parameters)


def _prefect_yaml() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found


def marks() -> list[Mark]:
    """Every marker of the drills and integration tests."""
    files = [file for folder in ("drills", "integration") for file in sorted((ROOT / "tests" / folder).glob("*.py"))]
    return [mark for file in files for mark in read_marks(file.read_text(), file.name)]


def read_marks(text: str, file: str) -> Iterator[Mark]:
    """The markers of the tests in a file. Raises ValueError for one that marks no test: nothing would run it."""
    tree = ast.parse(text)
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    marked = {call: test.name for test in tests for part in test.decorator_list for call in _calls(part)}
    if lost := [call.lineno for call in _calls(tree) if call not in marked]:
        raise ValueError(f"{file}: no test carries the marker in line {lost[0]}")
    for call, test in marked.items():
        for words in (ast.literal_eval(argument) for argument in call.args):
            yield _mark(f"{file}::{test}", ast.unparse(call.func).rpartition(".")[2], words.split())


def _calls(tree: ast.AST) -> list[ast.Call]:
    wanted = {f"pytest.mark.{kind}" for kind in MARKS}
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in wanted]


def _mark(test: str, kind: str, words: list[str]) -> Mark:
    """`backup restore --target-time --json`; of a deployment: `deployment restore target_time`."""
    told = words[2:] if words[0] == "deployment" else [word for word in words if word[0] == "-" or word.isupper()]
    return Mark(test, kind, " ".join(words[: len(words) - len(told)]), tuple(told))
