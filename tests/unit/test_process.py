"""The one runner of programs, with real small programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recovery.adapters import process
from recovery.adapters.process import HERE, Companion, Host
from recovery.errors import CommandFailed, Interrupted, SettingsInvalid, TargetUnreachable
from recovery.redaction import remember_secret
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.2)


def shell(script: str, **options: object) -> process.Completed:
    return HERE.run(["sh", "-c", script], **({"timeout_seconds": PATIENCE} | options))  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def command(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def pid_in(file: Path) -> int:
    until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def test_output_errors_and_status() -> None:
    done = shell("echo out; echo err >&2; exit 3", check=False)
    assert (done.status, done.stdout, done.stderr, done.last_lines) == (3, "out\n", "err\n", "err")


def test_failure_keeps_the_last_lines_and_no_secret() -> None:
    secret = remember_secret("hunter-of-processes")
    with pytest.raises(CommandFailed) as failed:
        shell(f"for n in $(seq 20); do echo line $n; done >&2; echo {secret} >&2; exit 4")
    error = failed.value
    assert (error.problem, error.status) == ("sh ended with status 4", 4)
    assert error.last_lines.splitlines() == [*(f"line {n}" for n in range(10, 21)), "•••"]
    assert secret not in str(error) + repr(vars(error))


def test_lines_are_heard_as_they_come(tmp_path: Path) -> None:
    """The program goes on only when its first line was heard."""
    heard, answer = [], tmp_path / "heard"

    def listen(line: str) -> None:
        heard.append(line)
        answer.touch()

    shell(f"echo one; until [ -e {answer} ]; do sleep 0.01; done; printf two", on_line=listen)
    assert heard == ["one", "two"]


def test_raw_bytes_are_text() -> None:
    assert shell(r"printf 'a\377b\n'").stdout == "a\ufffdb\n"


def test_more_output_than_a_pipe_holds() -> None:
    done = shell("head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2")
    assert (len(done.stdout), len(done.stderr)) == (300_000, 300_000)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_listener_that_fails_does_not_hold_up_the_program() -> None:
    def fail(_line: str) -> None:
        raise OSError("the journal's disk is full")

    done = shell("for n in $(seq 30000); do echo line $n; done", on_line=fail)
    assert done.stdout.count("\n") == 30_000


def test_input() -> None:
    text = "é" * 200_000
    assert HERE.run(["cat"], stdin=text, timeout_seconds=PATIENCE).stdout == text


def test_program_that_never_reads_its_input() -> None:
    assert HERE.run(["true"], stdin="x" * 1_000_000, timeout_seconds=PATIENCE).status == 0
    with pytest.raises(TargetUnreachable):
        HERE.run(["sleep", "3600"], stdin="x" * 1_000_000, timeout_seconds=0.2)


def test_without_input_nothing_waits_for_a_terminal() -> None:
    assert HERE.run(["cat"], timeout_seconds=PATIENCE).stdout == ""


def test_deadline_says_what_hung() -> None:
    with pytest.raises(TargetUnreachable) as late:
        HERE.run(["sleep", "31"], timeout_seconds=0.2)
    assert late.value.problem == "sleep was still running after 0 s and was stopped"
    assert late.value.next_step == "check that its server answers (network, S3, disk), then run this again"


def test_deadline_ends_the_whole_group() -> None:
    """A child that ignores the polite signal, of a parent that does not, is ended too."""
    span = f"32.{os.getpid()}"
    with pytest.raises(TargetUnreachable):
        shell(f"(trap '' TERM; exec sleep {span}) & sleep 33", timeout_seconds=1)
    until(lambda: not [one for one in Path("/proc").glob("[0-9]*") if span in command(one)])


def test_interruption_ends_the_program(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            # Not from the script itself: that may be faster than the call that starts it.
            shell(f"echo $$ > {note}; echo up; sleep 34", on_line=lambda _line: os.kill(os.getpid(), signal.SIGALRM))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not alive(pid_in(note))


def test_daemon_that_keeps_the_pipes_is_not_waited_for() -> None:
    done = HERE.run(["sh", "-c", "sleep 3600 & echo $!"], timeout_seconds=PATIENCE, outlives=True)
    daemon = int(done.stdout)
    assert alive(daemon)
    os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize("host", [HERE, Host(("env",))])
def test_program_that_is_not_installed(host: Host) -> None:
    with pytest.raises(SettingsInvalid) as missing:
        host.run(["/none/pg_ctl", "start"], timeout_seconds=PATIENCE)
    assert str(missing.value) == (
        "/none/pg_ctl is not installed where it should run\n"
        "NEXT: install pg_ctl there, or correct the path in recovery.toml"
    )


def test_prefix_that_is_not_installed() -> None:
    with pytest.raises(SettingsInvalid) as missing:
        Host(("/none/ssh", "db1")).run(["true"], timeout_seconds=PATIENCE)
    assert missing.value.problem == "/none/ssh is not installed on this machine"


def test_program_runs_away_from_our_folder() -> None:
    """A folder of root's would stop a program that runs as postgres."""
    assert HERE.run(["pwd"], timeout_seconds=PATIENCE).stdout == "/\n"


@pytest.mark.parametrize(("outlives", "lives"), [(False, False), (True, True)])
def test_killed_recovery_leaves_nobody_working(tmp_path: Path, outlives: bool, lives: bool) -> None:
    note = tmp_path / "pid"
    ours = (
        "from recovery.adapters.process import HERE\n"
        f"HERE.run(['sh', '-c', 'echo $$ > {note}; exec sleep 35'], timeout_seconds=60, outlives={outlives})"
    )
    parent = subprocess.Popen([sys.executable, "-c", ours], cwd=ROOT)
    child = pid_in(note)
    parent.kill()
    parent.wait()
    try:
        if lives:
            time.sleep(0.2)
            assert alive(child)
        else:
            until(lambda: not alive(child))
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)


# A companion: one line in, one line out ------------------------------------------------------------


def companion(script: str) -> Companion:
    return Companion(["sh", "-c", script])


def test_companion_answers_line_by_line() -> None:
    one = companion('while read line; do echo "heard $line"; done')
    assert [one.ask(text, timeout_seconds=PATIENCE) for text in ("a", "b")] == ["heard a", "heard b"]
    one.stop()
    assert not one.running


def test_companion_past_its_deadline_is_ended() -> None:
    one = companion("read line; sleep 36")
    with pytest.raises(Interrupted, match="had no answer after 0 s and was stopped"):
        one.ask("a", timeout_seconds=0.2)
    until(lambda: not one.running)


def test_companion_that_dies_tells_its_last_words() -> None:
    one = companion("read line; echo 'out of memory' >&2; exit 5")
    with pytest.raises(CommandFailed) as died:
        one.ask("a", timeout_seconds=PATIENCE)
    assert (died.value.status, died.value.last_lines) == (5, "out of memory")
    with pytest.raises(CommandFailed):
        companion("exit 5").ask("a", timeout_seconds=PATIENCE)


def test_output_that_is_read_slowly_is_read_to_its_end() -> None:
    """On a busy machine the reader comes behind: after a second the rest was cut off, and JSON with it."""
    done = shell("for n in $(seq 30); do echo line $n; done", on_line=lambda _line: time.sleep(0.05))
    assert done.stdout.count("\n") == 30


def test_a_program_that_became_another_user_does_not_hide_why_it_was_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind sudo, typed by an ordinary user, the deadline or a stop became a PermissionError."""

    def not_ours(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("recovery.adapters.process.os.killpg", not_ours)
    with pytest.raises(TargetUnreachable, match="was still running after 0 s"):
        HERE.run(["sleep", "2"], timeout_seconds=0.2)
