"""The docs say what is so: commands parse, settings exist, links lead somewhere."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from pydantic import BaseModel

from recovery.cli import app as cli
from recovery.errors import RecoveryError
from recovery.settings import Settings, load_settings
from recovery.settings.model import ENVIRONMENT

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXAMPLE = ROOT / "deployments" / "recovery.toml.example"
FLOW_PAGES = (
    "backup",
    "backup-check",
    "restore",
    "restore-test",
    "site-prepare",
    "data-checks",
    "sandbox",
    "incidents",
)

# What the seed runbook calls. It is not part of this repository, so its names stand here.
RUNBOOK_NPM = ("backup:list", "backup:restore", "backup:verify", "backup:test", "backup:latest", "backup:stats")
RUNBOOK_OPTIONS = {
    "restore": (
        "--target-time",
        "--backup-id",
        "--target-database",
        "--source-region",
        "--source-bucket",
        "--validate-only",
    ),
    "verify": ("--database",),
}
RUNBOOK_VARIABLES = [
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "REDIS_HOST",
    "REDIS_PORT",
    "BACKUP_S3_BUCKET",
    "BACKUP_S3_REGION",
    "BACKUP_ENCRYPTION_KEY",
    "ZONE_ID",
    "PRIMARY_BACKUP_BUCKET",
]

# The JSON block holds npm scripts; they have a test of their own.
_CODE = re.compile(r"```(?!json)[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_COMMAND = re.compile(r"(?:^|[\s\"(=/])(recover(?:\s+[^\s|;)`]+)+)")
# These act while they are parsed: the second writes into the home directory.
_ACT_AT_ONCE = ("--help", "--install-completion", "--show-completion")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


# Commands ------------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[str]:
    """Every `recover …` of a page: in its code blocks, in its code spans, and inside $(…)."""
    for block, span in _CODE.findall(text):
        for line in (block or span).replace("\\\n", " ").splitlines():
            for found in _COMMAND.finditer(re.sub(r"\s#\s.*$", "", line)):
                words = re.split(r"\s*(?:[|;]|&&|\)\"|\)$)", found[1])[0]
                if re.match(r"recover [a-z-]", words) and "…" not in words:
                    yield words
            yield from re.findall(r"\$\((recover [^)]+)\)", line)


def parse(line: str) -> None:
    """Parse a command line as the real program does, without running it.

    Raises: click.ClickException for what it would refuse.
    """
    words = shlex.split(re.sub(r'"?\$\([^)]*\)?"?', "20240115-020000F", line))[1:]
    words = [word for word in words if word not in _ACT_AT_ONCE]
    if not words:
        return
    command: Any = typer.main.get_command(cli.app)
    path = ["recover"]
    while True:
        context = command.make_context(path[-1], words)
        if not hasattr(command, "list_commands"):
            return  # all of its options were understood
        words = _remaining(context)
        if not words:
            return  # a group alone shows its help
        command = _found(command, words[0], path)
        path.append(words.pop(0))


def _found(group: Any, name: str, path: list[str]) -> Any:
    """A command of a group; those of `recover` itself are imported only when they are called."""
    if path == ["recover"] and name in cli._GROUPS:
        return typer.main.get_command(importlib.import_module(cli._GROUPS[name][0]).app)
    found = None if path == ["recover"] else group.commands.get(name)
    if found is None:
        raise click.UsageError(f"{' '.join(path)} has no command {name}")
    return found


def _remaining(context: Any) -> list[str]:
    return [*getattr(context, "_protected_args", []), *context.args]


def named_commands() -> list[Any]:
    return [
        pytest.param(line, id=f"{page.name}: {line}")
        for page in PAGES
        for line in dict.fromkeys(commands(page.read_text()))
    ]


@pytest.mark.parametrize("line", named_commands())
def test_every_command_in_the_docs_parses(line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line",
    [
        "recover backup restor",
        "recover backup restore --target-tme=x",
        "recover backup run --type half",
        "recover nothing",
        "recover backup test --repo 3",
        "recover backup drop-copy",
    ],
)
def test_a_wrong_command_would_be_found(line: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - typer brings its own copy of click's errors
        parse(line)
    assert "UsageError" in {one.__name__ for one in type(caught.value).__mro__}


def test_commands_are_found_wherever_they_stand() -> None:
    text = (
        '`recover backup list` and\n```bash\nrecover backup run   # incr\nx="$(recover backup latest)"\n'
        "/usr/local/bin/recover site heartbeat\nrecover backup restore \\\n  --target-lsn=0/1\n```\nrecover nothing here\n"
    )
    found = set(commands(text))
    assert {"recover backup list", "recover backup run", "recover backup latest", "recover site heartbeat"} <= found
    assert any("--target-lsn=0/1" in line for line in found)
    assert not any("nothing" in line for line in found)


def test_the_docs_name_many_commands() -> None:
    assert len(named_commands()) > 60


# The runbook ---------------------------------------------------------------------------------------


def npm_scripts() -> dict[str, str]:
    text = (ROOT / "docs" / "npm-scripts.md").read_text()
    block = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    scripts: dict[str, str] = json.loads(block[1])["scripts"]
    return scripts


@pytest.mark.parametrize("name", RUNBOOK_NPM)
def test_every_npm_script_of_the_runbook_calls_the_command(name: str) -> None:
    script = npm_scripts()[name]
    assert script.split()[:3] == ["recover", "backup", name.removeprefix("backup:")]
    assert f"`{name}`" in (ROOT / "README.md").read_text() or f"npm run {name}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("script", sorted(npm_scripts().values()))
def test_npm_scripts_parse(script: str) -> None:
    parse(re.sub(r"\$\{npm_config_database:\+(.*)\}", r"\1", script))


@pytest.mark.parametrize(("command", "option"), [(c, o) for c, options in RUNBOOK_OPTIONS.items() for o in options])
def test_every_option_of_the_runbook_is_there_and_documented(command: str, option: str) -> None:
    parse(f"recover backup {command} {option}" + ("" if option == "--validate-only" else "=20240115-020000F"))
    page = {"restore": "restore.md", "verify": "data-checks.md"}[command]
    assert option in (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize("variable", RUNBOOK_VARIABLES)
def test_every_variable_of_the_runbook_is_known_and_documented(variable: str) -> None:
    assert variable in ENVIRONMENT
    assert f"`{variable}`" in (ROOT / "docs" / "settings.md").read_text()
    assert variable in EXAMPLE.read_text()


# Settings ------------------------------------------------------------------------------------------


def example_with_all_settings() -> str:
    """The example with every commented setting switched on (`#key = …`, without a space)."""
    return re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(
    "text", [EXAMPLE.read_text(), example_with_all_settings()], ids=["as it is", "all switched on"]
)
def test_the_settings_example_is_accepted(text: str, tmp_path: Path) -> None:
    file = tmp_path / "recovery.toml"
    file.write_text(text)
    load_settings(file, environment={})


def test_an_unknown_key_in_the_example_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "recovery.toml"
    file.write_text(EXAMPLE.read_text().replace("[site]\n", '[site]\ncolour = "blue"\n'))
    with pytest.raises(RecoveryError, match=r"site\.colour: unknown key"):
        load_settings(file, environment={})


def test_every_setting_is_in_the_example() -> None:
    values = tomllib.loads(example_with_all_settings())
    assert list(_missing(Settings, values, "")) == []


def test_the_defaults_in_the_example_are_the_defaults() -> None:
    """A number that the example shows is the number that holds without it."""
    shown, settings = tomllib.loads(EXAMPLE.read_text()), load_settings(EXAMPLE, environment={})
    for section in ("backup", "restore", "checks", "objectives"):
        known = type(getattr(settings, section)).model_fields
        for key, value in shown[section].items():
            if isinstance(value, int | float):
                assert (section, key, value) == (section, key, known[key].default)


def _missing(model: type[BaseModel], values: dict[str, Any], prefix: str) -> Iterator[str]:
    """The settings of a model that the example does not name."""
    for name, field in model.model_fields.items():
        if name not in values:
            yield f"{prefix}{name}"
        elif section := _section_of(field.annotation):
            yield from _missing(section, values[name], f"{prefix}{name}.")


def _section_of(annotation: Any) -> type[BaseModel] | None:
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    found = [one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)]
    return found[0] if found and getattr(annotation, "__origin__", None) is not dict else None


# Pages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [target for target in _LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists() and not target.endswith(".png")]
    assert missing == []


@pytest.mark.parametrize("name", FLOW_PAGES)
def test_every_page_of_a_runbook_answers_the_same_questions(name: str) -> None:
    heads = re.findall(r"^## (.*)$", (ROOT / "docs" / f"{name}.md").read_text(), re.MULTILINE)
    wanted = ("When", "Preconditions", "What it does", "By hand", "How to abort", "What can go wrong", "Limits")
    assert [head for head in wanted if not any(one.startswith(head) for one in heads)] == []


@pytest.mark.parametrize("flow", sorted(path.stem for path in (ROOT / "flows").glob("[a-z]*.py")))
def test_every_flow_is_in_the_readme(flow: str) -> None:
    assert f"flows/{flow}.py" in (ROOT / "README.md").read_text()


def test_every_exit_code_is_in_the_readme() -> None:
    codes = {one.exit_code for one in RecoveryError.__subclasses__()}
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)}
    assert codes <= shown


@pytest.mark.parametrize("unit", sorted((ROOT / "deployments" / "systemd").glob("*.service")), ids=lambda u: u.name)
def test_every_unit_starts_a_command_that_is_there(unit: Path) -> None:
    started = re.findall(r"^ExecStart=\S*/(recover .*)$", unit.read_text(), re.MULTILINE)
    assert len(started) == 1
    parse(started[0])
