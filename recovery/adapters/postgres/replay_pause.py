"""The standby's replay, paused for as long as something is read there; a pause that is somebody else's is left alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.errors import RecoveryError, SettingsInvalid, VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.ownership import make_state_folder, open_ours
from recovery.stopping import finishing
from recovery.waiting import wait_until
from recovery.wal import format_lsn, parse_lsn

_PAUSING = "pausing"
_PAUSE_SECONDS = 120.0  # replay pauses between two records; a large one takes a while


class ReplayStaysPaused(VerificationFailed):
    """We paused it, and could not let it go on: the standby falls behind until somebody does."""


@contextmanager
def paused_replay(standby: DatabaseAddress, mark: Path) -> Iterator[int]:
    """Pause the standby's replay; the LSN at which it stands. It goes on at the end.

    `mark` is a file of this site: it says that the pause is ours, also to the run that comes after one that was killed.
    Raises: VerificationFailed when the replay is paused already or does not pause; ReplayStaysPaused.
    """
    with _held(mark) as note:
        with connect(standby) as control:
            _require_ours(control, note)
        _write(note, _PAUSING)
        try:
            lsn = _pause(standby)
            _write(note, format_lsn(lsn))
            yield lsn
        finally:
            with finishing():
                _go_on(standby)
                _write(note, "")


@contextmanager
def _held(mark: Path) -> Iterator[IO[str]]:
    """The mark, while no other run has it: a lock ends with its process, what is written stays."""
    with ExitStack() as opened:
        try:
            make_state_folder(mark.parent)
            note = opened.enter_context(open_ours(mark, "a+"))
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VerificationFailed(
                "another run has paused the standby's replay", "wait until it has ended"
            ) from error
        except OSError as error:
            raise _unwritable(mark, error) from error
        yield note


def _require_ours(control: Connection, note: IO[str]) -> None:
    """Whoever paused it has a reason (a look at the past, a deletion that must not arrive) that we do not know."""
    state = one_row(control, "SELECT pg_get_wal_replay_pause_state()")[0]
    if state == "not paused":
        _write(note, "")  # whatever a killed run left
    elif not _is_ours(control, note):
        raise VerificationFailed(
            f"the standby's replay is {state}, and not by us",
            "when it may go on, type on the standby: SELECT pg_wal_replay_resume()",
        )


def _pause(standby: DatabaseAddress) -> int:
    with connect(standby) as control:
        control.execute("SELECT pg_wal_replay_pause()")
        _wait_until_paused(control)
        return parse_lsn(str(one_row(control, "SELECT pg_last_wal_replay_lsn()")[0]))


def _go_on(standby: DatabaseAddress) -> None:
    try:
        with connect(standby) as control:
            control.execute("SELECT pg_wal_replay_resume()")
    except RecoveryError as error:
        raise ReplayStaysPaused(
            f"the standby's replay was paused and could not be resumed: {error.problem}",
            "unless it was started anew since, type on the standby: SELECT pg_wal_replay_resume()",
        ) from error


def _is_ours(control: Connection, note: IO[str]) -> bool:
    """Whether a run of ours was killed in just this pause: it stands where that one stood, or never came to stand."""
    note.seek(0)
    left = note.read()
    if left == _PAUSING:
        return True
    stands = one_row(control, "SELECT pg_last_wal_replay_lsn()")[0]
    return bool(left) and stands is not None and left == format_lsn(parse_lsn(str(stands)))


def _write(note: IO[str], text: str) -> None:
    try:
        note.truncate(0)
        note.write(text)
        note.flush()
    except OSError as error:
        raise _unwritable(Path(note.name), error) from error


def _unwritable(mark: Path, error: OSError) -> RecoveryError:
    return SettingsInvalid(
        f"{mark} cannot be written: {error.strerror or error}",
        f"let the user who runs recover own {mark.parent}, or remove the file",
    )


def _wait_until_paused(connection: Connection) -> None:
    def paused() -> bool:
        return bool(one_row(connection, "SELECT pg_get_wal_replay_pause_state() = 'paused'")[0])

    if not wait_until(paused, _PAUSE_SECONDS):
        raise VerificationFailed(
            f"the standby did not pause its replay within {_PAUSE_SECONDS:.0f} s", "look at the standby's log"
        )
