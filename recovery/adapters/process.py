"""The one place that starts a program: argv in, output or a typed error out."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from recovery.errors import CommandFailed, SettingsInvalid, TargetUnreachable
from recovery.redaction import redact

log = logging.getLogger(__name__)

_LAST_LINES = 12
_GRACE_SECONDS = 5.0


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
        process (so that a killed recovery leaves nobody working) unless it `outlives` it.

        Raises: CommandFailed when it ends with an error and `check` is set; TargetUnreachable when
        it is still running at the deadline (its whole process group is killed); SettingsInvalid
        when the program is not installed.
        """
        words = self.command(argv, env=env, outlives=outlives)
        log.debug("run %s", redact(" ".join(words)))
        completed = _run_to_end(words, timeout_seconds, stdin, on_line)
        if completed.status and check:
            raise failed(argv, completed)
        return completed

    def command(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        outlives: bool = False,
    ) -> list[str]:
        """The full argument list, with the prefix of this host."""
        words = [str(word) for word in argv]
        if env:
            words = ["env", *(f"{name}={value}" for name, value in sorted(env.items())), *words]
        if not outlives:
            # After the prefix: changing the user would clear the death signal again.
            words = ["setpriv", "--pdeathsig", "TERM", "--", *words]
        return [*self.prefix, *words]


HERE = Host()


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
    lines: list[str] = field(default_factory=list)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        return thread

    def _read(self) -> None:
        # pgBackRest writes raw bytes when a cipher key is wrong.
        for raw in self.stream:
            line = raw.decode(errors="replace")
            self.lines.append(line)
            if self.on_line:
                self.on_line(line.rstrip("\n"))


def _run_to_end(
    words: list[str],
    timeout_seconds: float,
    stdin: str | None,
    on_line: Callable[[str], None] | None,
) -> Completed:
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )
    except FileNotFoundError as error:
        raise SettingsInvalid(
            f"{words[0]} is not installed on this machine",
            f"install {words[0]}, or correct the command prefix in recovery.toml",
        ) from error
    assert process.stdout and process.stderr
    out, err = _Reader(process.stdout, on_line), _Reader(process.stderr)
    threads = [out.start(), err.start()]
    try:
        if stdin is not None and process.stdin:
            _feed(process.stdin, stdin)
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired as error:
        _kill_group(process)
        raise TargetUnreachable(
            f"{redact(' '.join(words[-8:]))} was still running after {timeout_seconds:.0f} s and was stopped",
            "check that its server answers (network, S3, disk), then run this again",
        ) from error
    except BaseException:
        _kill_group(process)
        raise
    # A daemon that inherited the pipes (pg_ctl start) would keep them open for ever.
    for thread in threads:
        thread.join(timeout=1.0)
    return Completed(process.returncode, "".join(out.lines), "".join(err.lines))


def _feed(pipe: IO[bytes], text: str) -> None:
    try:
        pipe.write(text.encode())
        pipe.close()
    except BrokenPipeError:
        pass  # it ended without reading; its exit status tells the story


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and all it started: politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return
            time.sleep(0.05)
