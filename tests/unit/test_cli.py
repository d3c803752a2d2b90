"""The command: what it imports, how it refuses, what its exit status says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recovery import stopping
from recovery.cli.app import _GROUPS
from recovery.cli.main import main
from recovery.errors import Interrupted, RecoveryError, SettingsInvalid
from recovery.settings.model import ENVIRONMENT
from recovery.site import site
from recovery.stopping import Stopped
from tests.stops import hearing_restored, listening
from tests.unit.drilled import commands
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
HEAVY = ("pydantic", "psycopg", "boto3", "botocore", "rich.table", "prefect", "great_expectations", "sandbox", "httpx")
COMPLETE = """
[backup]
encryption_key = "key-of-the-repository"
[backup.primary]
bucket = "clickview-backups"
endpoint = "127.0.0.1"
port = 1  # nobody answers there: these tests leave the machine alone
access_key_id = "AKIANOBODY"
secret_access_key = "secret-of-nobody"
"""


def recover(*words: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would, away from the settings of this machine."""
    own = {key: value for key, value in os.environ.items() if key not in ENVIRONMENT}
    own |= {"RECOVERY_CONFIG": str(config), "RECOVERY_NO_SERVER": "1"}
    argv = [sys.executable, "-m", "recovery", *words]
    return subprocess.run(argv, cwd=ROOT, env=own, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_help_imports_only_what_it_shows() -> None:
    code = (
        "import sys; sys.argv = ['recover', '--help']\n"
        "from recovery.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([one for one in {HEAVY} if one in sys.modules], file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert told.stderr == "[]\n"
    assert all(name in told.stdout for name in _GROUPS)


def test_a_shell_of_another_alphabet_costs_a_letter_not_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a Latin-1 shell (LC_ALL=de_DE) it ended with a traceback."""
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    (tmp_path / "recovery.toml").write_text(COMPLETE)
    shown = recover("settings", "show", config=tmp_path / "recovery.toml")
    assert (shown.returncode, shown.stderr) == (0, "")


def test_every_command_says_what_it_does_and_so_does_every_option() -> None:
    found = [(name, command) for name, command in commands() if name]
    bare = [name for name, command in found if not command.help]
    bare += [
        f"{name} {option.opts[0]}"
        for name, command in found
        for option in command.params
        if option.param_type_name == "option" and not option.help
    ]
    assert bare == []
    assert len(found) > 20


def here(monkeypatch: pytest.MonkeyPatch, *words: str, config: Path = Path("/none/recovery.toml")) -> int:
    """Run the command in this process, for what imports no flow; its exit status."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RECOVERY_CONFIG", str(config))
    monkeypatch.setattr(sys, "argv", ["recover", *words])
    site.cache_clear()
    try:
        with hearing_restored():
            main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        site.cache_clear()
    return 0


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert here(monkeypatch, "backup", "list") == 11
    assert capsys.readouterr() == (
        "",
        "recover: there is no settings file /none/recovery.toml\n"
        "NEXT: correct them, then run: recover settings check\n",
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "recovery.toml"
    file.write_text(f'{COMPLETE}[site]\nstate_dir = "{tmp_path}/state"\n')
    return file


def test_refusal_as_json_is_the_only_thing_on_standard_output(config: Path) -> None:
    told = recover("backup", "restore", "--target-time", "2024-01-15 10:30:00", "--json", config=config)
    assert told.returncode == 14
    assert json.loads(told.stdout) == {
        "error": "GateRefused",
        "problem": "'2024-01-15 10:30:00' has no zone",
        "next": "write it with seconds and a zone, e.g. 2024-01-15T10:30:00Z or '2024-01-15 10:30:00 Europe/Berlin'",
        "exit_code": 14,
    }


def test_secrets_are_not_shown(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(monkeypatch, "settings", "show", "--json", config=config) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["backup.encryption_key"] == "•••"
    assert "key-of-the-repository" not in told.out + told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "list", "--surprise"), "No such option"),
        (("backup", "run", "--type", "whole"), "'whole' is not one of"),
        (("surprise",), "No such command 'surprise'"),
    ],
)
def test_misspelt_commands(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(monkeypatch, *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


def test_a_closed_output_is_no_error() -> None:
    """A cron job with >&- : sys.stdout is None then."""
    words = ["-P", "-c", "from recovery.cli.main import main; main()", "settings", "show", "--help"]
    shell = ["bash", "-c", 'exec "$@" >&-', "bash", sys.executable, *words]
    done = subprocess.run(shell, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_stops_a_command_is_told_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recovery.cli.app._show_commands", stop)
    assert here(monkeypatch, "settings", "show") == 18
    said = "recover: stopped\nNEXT: run the same command again; it goes on where it is safe\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            None,
            "recover: stopped by SIGTERM\nNEXT: it had ended by then; read what it said, or run the same command again",
        ),
        (SettingsInvalid("that is wrong", "do this"), "recover: that is wrong\nNEXT: do this"),
    ],
)
def test_a_stop_in_the_last_moment_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: RecoveryError | None, said: str
) -> None:
    deaf = stopping.listen_no_more

    def stopped_just_before() -> None:
        monkeypatch.setattr(stopping, "listen_no_more", deaf)
        signal.raise_signal(signal.SIGTERM)

    def ended() -> int:
        if error:
            raise error
        return 0

    monkeypatch.setattr("recovery.cli.main._outcome", ended)
    monkeypatch.setattr(stopping, "listen_no_more", stopped_just_before)
    with hearing_restored():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == (error or Interrupted).exit_code
    assert capsys.readouterr().err.strip() == said


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--once",), 18)])
def test_to_be_stopped_is_the_only_end_of_the_heartbeat(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], status: int
) -> None:
    """As a service it would have failed whenever systemd stopped it."""

    def stop(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("recovery.cli.site._beat", stop)
    assert here(monkeypatch, "site", "heartbeat", *options) == status


@pytest.mark.parametrize("answer", [signal.SIGINT, None])
def test_who_stops_at_a_question_is_heard(monkeypatch: pytest.MonkeyPatch, answer: signal.Signals | None) -> None:
    """Typer made `Aborted.` and 1 of it. Ctrl-D is a no."""
    from recovery.cli.backup import _confirmed

    def asked(_: str) -> str:
        if answer:
            signal.raise_signal(answer)
        raise EOFError

    monkeypatch.setattr("typer._click.termui.visible_prompt_func", asked)
    with listening():
        if answer:
            with pytest.raises(Stopped):
                _confirmed("Drop them?")
        else:
            assert _confirmed("Drop them?") is False
