"""The one place that starts a program: argv in, output or a typed error out."""

from __future__ import annotations

import logging
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from recovery import stopping
from recovery.environment import FIXED, our_environment, program_environment
from recovery.errors import CommandFailed, Interrupted, SettingsInvalid, TargetUnreachable
from recovery.redaction import redact

log = logging.getLogger(__name__)

_LAST_LINES = 12
# For a small program that answers at once: it takes longer only where it hangs, on a disk or on the way to a host.
PROMPT_SECONDS = 120.0
_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.3
_SSH_FAILED = 255
# What an ended program wrote is read to its end, also on a machine so busy that this takes a while …
_DRAIN_SECONDS = 60.0
# … but a daemon that it started (pg_ctl start) has inherited the pipes and keeps them open for ever.
_DAEMON_SECONDS = 1.0


@dataclass(frozen=True)
class Completed:
    """A program that ended: its exit status and what it wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def last_lines(self) -> str:
        lines = (self.stderr or self.stdout).strip().splitlines()
        return redact("\n".join(lines[-_LAST_LINES:]))


@dataclass(frozen=True)
class Host:
    """Where commands run: on this machine, or behind a prefix such as ("ssh", "db1").

    The prefix comes from the settings; no adapter knows what it is.
    """

    prefix: tuple[str, ...] = ()

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout_seconds: float,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
        outlives: bool = False,
    ) -> Completed:
        """Run a program to its end.

        `on_line` receives every line of standard output as it comes. A program dies with this
        process (so that a killed recovery leaves nobody working) unless it `outlives` it. Its
        environment is made from nothing; `env` is what this program needs beside it.

        Raises: CommandFailed when it ends with an error and `check` is set; TargetUnreachable when
        it is still running at the deadline (its whole process group is killed), or ssh does not get
        to its host; SettingsInvalid when the program is not installed.
        """
        words = self.command(argv, env=env, outlives=outlives)
        log.debug("run %s", redact(" ".join(words)))
        drain = _DAEMON_SECONDS if outlives else _DRAIN_SECONDS
        process = _start(words, program_environment(env), with_stdin=stdin is not None)
        completed = _run_to_end(process, timeout_seconds, stdin, on_line, name=_spoken(argv), drain_seconds=drain)
        self._require_reached(completed)
        if completed.status and check:
            raise failed(argv, completed)
        return completed

    def _require_reached(self, completed: Completed) -> None:
        """An ssh that did not get there is no answer of the program, whoever judges its status (`check`).

        Ref.: ssh(1), EXIT STATUS.
        """
        if completed.status == _SSH_FAILED and any(Path(word).name == "ssh" for word in self.prefix):
            said = completed.last_lines.splitlines()[-1:] or ["it said nothing"]
            raise TargetUnreachable(
                f"{' '.join(self.prefix)} did not get through: {said[0]}",
                "try that command by hand, as the user who runs this",
            )

    def command(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        outlives: bool = False,
    ) -> list[str]:
        """The full argument list, with the prefix of this host.

        Behind a prefix (ssh, docker exec) the environment is that of the other side, with ours put into it:
        so no secret may be in `env`.
        """
        words = [str(word) for word in argv]
        if self.prefix:
            added = FIXED | dict(env or {})
            words = ["env", *(f"{name}={value}" for name, value in sorted(added.items())), *words]
        if not outlives:
            # After the prefix: changing the user would clear the death signal again.
            words = ["setpriv", "--pdeathsig", "TERM", "--", *words]
        return [*self.prefix, *words]


HERE = Host()


def _spoken(argv: Sequence[str | Path]) -> str:
    """A command as people say it: the program and, where there is one, its subcommand."""
    rest = (str(word) for word in argv[1:])
    subcommand = next((word for word in rest if re.fullmatch(r"[a-z-]*[a-z]", word) and not word.startswith("-")), "")
    return f"{Path(str(argv[0])).name} {subcommand}".strip()


def failed(argv: Sequence[str | Path], completed: Completed) -> CommandFailed:
    """The error for a program that ended badly."""
    program = Path(str(argv[0])).name
    missing = completed.status == 127 or (
        "No such file or directory" in completed.stderr and (f"failed to execute {argv[0]}" in completed.stderr)
    )
    if missing:
        raise SettingsInvalid(
            f"{argv[0]} is not installed where it should run",
            f"install {program} there, or correct the path in recovery.toml",
        )
    return CommandFailed(
        f"{program} ended with status {completed.status}",
        "read its last lines above; nothing after this step was done",
        tuple(str(word) for word in argv),
        completed.status,
        completed.last_lines,
    )


@dataclass
class _Reader:
    """Collects one stream of a program in a thread of its own, line by line."""

    stream: IO[bytes]
    on_line: Callable[[str], None] | None = None
    on_end: Callable[[], None] | None = None
    lines: list[str] = field(default_factory=list)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        return thread

    def _read(self) -> None:
        # pgBackRest writes raw bytes when a cipher key is wrong.
        try:
            for raw in self.stream:
                line = raw.decode(errors="replace")
                self.lines.append(line)
                if self.on_line:
                    self.on_line(line.rstrip("\n"))
        finally:
            # A listener that failed must not leave the program waiting before a full pipe.
            self.lines += [raw.decode(errors="replace") for raw in self.stream]
            if self.on_end:
                self.on_end()


class Companion:
    """A program of ours that stays beside us and answers: one line in, one line out.

    It ends when its standard input does, so it cannot outlive this process. (A death signal would
    not do: it comes with the end of the *thread* that started the program.)
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._process = _start(list(argv), our_environment(), with_stdin=True)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in = self._process.stdin
        _Reader(self._process.stdout, self._answers.put, lambda: self._answers.put(None)).start()
        self._err = _Reader(self._process.stderr)
        self._err_thread = self._err.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ask(self, line: str, *, timeout_seconds: float) -> str:
        """Send a line and wait for the answer; a companion that does not answer in time is ended.

        Raises: CommandFailed when it ended instead; Interrupted at the deadline.
        """
        answer = None
        with suppress(BrokenPipeError):  # it ended: its exit status tells the story
            self._in.write(line.encode() + b"\n")
            self._in.flush()
        try:
            answer = self._answers.get(timeout=timeout_seconds)
        except queue.Empty as error:
            self.stop()
            raise Interrupted(
                f"{redact(' '.join(self._argv[-2:]))} had no answer after {timeout_seconds:.0f} s and was stopped",
                "look for locks and load on the server that it asks, then run this again",
            ) from error
        if answer is None:
            with suppress(subprocess.TimeoutExpired):  # on a busy machine it takes a while to go
                self._process.wait(_DRAIN_SECONDS)
            self.stop()
            self._err_thread.join(_DRAIN_SECONDS)
            raise failed(self._argv, Completed(self._process.returncode, "", "".join(self._err.lines)))
        return answer

    def stop(self) -> None:
        """End it, and whatever it started."""
        with suppress(BrokenPipeError):
            self._in.close()
        _kill_group(self._process)


def _start(words: list[str], environment: dict[str, str], *, with_stdin: bool) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    except FileNotFoundError as error:
        raise SettingsInvalid(
            f"{words[0]} is not installed on this machine",
            f"install {words[0]}, or correct the command prefix in recovery.toml",
        ) from error


def _run_to_end(
    process: subprocess.Popen[bytes],
    timeout_seconds: float,
    stdin: str | None,
    on_line: Callable[[str], None] | None,
    *,
    name: str,
    drain_seconds: float,
) -> Completed:
    assert process.stdout and process.stderr
    out, err = _Reader(process.stdout, on_line), _Reader(process.stderr)
    threads: list[threading.Thread] = []
    try:
        threads = [out.start(), err.start()]
        if stdin is not None and process.stdin:
            # In a thread of its own: a program that does not read must not hold up the deadline.
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
        _wait(process, timeout_seconds, name)
    except subprocess.TimeoutExpired as error:
        _kill_group(process)
        raise TargetUnreachable(
            f"{name} was still running after {timeout_seconds:.0f} s and was stopped",
            "check that its server answers (network, S3, disk), then run this again",
        ) from error
    except BaseException:
        _kill_group(process)
        raise
    deadline = time.monotonic() + drain_seconds
    for thread in threads:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
    return Completed(process.returncode, "".join(out.lines), "".join(err.lines))


def _wait(process: subprocess.Popen[bytes], seconds: float, name: str) -> None:
    """Wait for its end. In another thread than the main one no signal wakes us: there we look whether we are stopped."""
    if threading.current_thread() is threading.main_thread():
        process.wait(seconds)
        return
    deadline = time.monotonic() + seconds
    while True:
        try:
            process.wait(max(0.0, min(_LOOK_SECONDS, deadline - time.monotonic())))
            return
        except subprocess.TimeoutExpired:
            if stopping.under_way():
                raise Interrupted(f"{name} was stopped", "to go on, run the same command again") from None
            if time.monotonic() >= deadline:
                raise


def _feed(pipe: IO[bytes], text: str) -> None:
    try:
        pipe.write(text.encode())
        pipe.close()
    except BrokenPipeError:
        pass  # it ended without reading; its exit status tells the story


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and all it started: politely, then not."""
    with stopping.finishing():
        try:
            _end_group(process)
        except ProcessLookupError:
            pass  # the group is empty: not even a child's child is left
        except PermissionError:  # it became another user (sudo): why we wanted to end it is what must be told
            log.warning("process %d is another user's by now and goes on to its end", process.pid)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.05)
