"""Ctrl-C, SIGTERM and a closed terminal: heard once, and never in the middle of clearing away."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from recovery import stopping
from recovery.adapters.postgres.recovered import CopyPlaces
from recovery.adapters.process import HERE
from recovery.errors import Interrupted
from recovery.stopping import Stopped, finishing, under_way
from tasks import copies
from tests.stops import hearing_restored, listening
from tests.waiting import PATIENCE, until


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    with listening():
        yield


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_stop_says_by_whom(number: signal.Signals, said: str) -> None:
    with pytest.raises(Stopped, match=f"^stopped by {said}$"):
        signal.raise_signal(number)


def test_the_next_ones_do_not_break_the_clearing_away(capfd: pytest.CaptureFixture[str]) -> None:
    cleared = []
    with pytest.raises(Stopped):  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            cleared.append("all")
    assert cleared == ["all"]
    assert capfd.readouterr().err == "recover: clearing away what was begun; it ends by itself\n" * 2


def test_one_that_was_lost_does_not_make_us_deaf() -> None:
    """A library that drops it, as Prefect does at the end of a run."""
    with suppress(Stopped):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGINT)


def test_what_must_not_stay_half_done_is_done_first(capfd: pytest.CaptureFixture[str]) -> None:
    done = []
    with pytest.raises(Stopped), finishing():  # noqa: PT012
        with finishing():
            signal.raise_signal(signal.SIGTERM)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    assert capfd.readouterr().err == "recover: this must not stay half done; it stops right after\n"
    with finishing():
        done.append("and nothing is left of it")


def test_a_stop_that_comes_while_an_error_is_cleared_away_is_not_lost() -> None:
    """Else the restore of the next repository would begin."""
    with pytest.raises(Stopped), finishing():  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        raise ValueError


def test_when_all_is_done_it_comes_too_late() -> None:
    with stopping.too_late():
        signal.raise_signal(signal.SIGINT)


def test_one_that_comes_too_late_does_not_hide_an_error() -> None:
    with pytest.raises(ValueError, match="said"), stopping.too_late():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        raise ValueError("said")


def test_what_is_there_for_good_is_not_stopped_any_more(capfd: pytest.CaptureFixture[str]) -> None:
    with finishing():
        signal.raise_signal(signal.SIGINT)
        stopping.nothing_left_to_stop()
    signal.raise_signal(signal.SIGTERM)
    assert capfd.readouterr().err.splitlines()[-1] == "recover: all is done; it ends by itself"
    stopping.more_follows()
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_a_database_that_has_its_name_is_not_taken_for_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped while it got its name: 18, run it again, and the next run was refused because the name exists."""
    site, databases = MagicMock(), MagicMock()
    databases.hand_over.side_effect = lambda *_: signal.raise_signal(signal.SIGTERM) or ()
    for name in ("site", "SiteDatabases", "Load", "read_properties", "read_search_path"):
        monkeypatch.setattr(copies, name, MagicMock(return_value=databases if name == "SiteDatabases" else site))
    copies.Load.return_value.run.return_value = ()  # type: ignore[attr-defined]
    assert copies.load_into_site(CopyPlaces(Path("/scratch/copy-1")), "restored") == ()
    databases.drop.assert_not_called()
    signal.raise_signal(signal.SIGINT)  # in one of the few steps that come after


_ENDED = """
import os, signal, sys
from recovery import stopping
from recovery.cli import output
stopping.listen()
output.use_server = lambda _site: None
class Flows:
    @staticmethod
    def restore():
        stopping.nothing_left_to_stop()
        return "the copy copy-1 runs beside the site"
import recovery.site
recovery.site.site, sys.modules["of_the_test"] = (lambda: None), Flows
said = output.show_run("of_the_test", "restore", False)
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
print(said)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_where_the_data_is_gets_said_whoever_stops_us_then(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", _ENDED, name], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "the copy copy-1 runs beside the site\n"), done.stderr


_DROPPED = """
import os, signal, time
import recovery.site
from recovery.cli.backup import drop_copy
class Copies:
    def find(self, name):
        return name
    def remove(self, name):
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0)
class Site:
    copies = Copies()
recovery.site.site = Site
drop_copy("copy-1")
"""


def test_a_copy_is_dropped_whole_though_the_terminal_is_closed() -> None:
    done = subprocess.run([sys.executable, "-c", _DROPPED], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "copy-1 is gone.\n"), done.stderr


def test_what_the_shell_has_us_ignore_stays_ignored() -> None:
    with hearing_restored():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stopping.listen()
        signal.raise_signal(signal.SIGINT)


def test_we_hear_again_where_a_library_listens() -> None:
    def of_a_library(*_: object) -> None:
        raise RuntimeError

    signal.signal(signal.SIGTERM, of_a_library)
    with pytest.raises(Stopped), stopping.listening_again():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(RuntimeError):
        signal.raise_signal(signal.SIGTERM)


def test_a_program_of_another_thread_ends_when_the_main_one_is_stopped() -> None:
    """A pool of threads is waited for: it held a stopped command until the deadline of the program."""
    errors: list[Interrupted] = []
    names: list[str] = []

    def run() -> None:
        try:
            HERE.run(["sleep", "1234"], timeout_seconds=PATIENCE, on_line=names.append)
        except Interrupted as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    with pytest.raises(Stopped):  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            assert under_way()
            thread.join(PATIENCE)
    assert [str(one) for one in errors] == ["sleep was stopped\nNEXT: to go on, run the same command again"]


_HUNG_UP = """
import os, signal, sys
from recovery.cli.streams import write_to_whoever_listens
from recovery.stopping import outliving_the_terminal
write_to_whoever_listens()
told = []
with outliving_the_terminal(lambda: told.append(1)):
    print("begun", flush=True)
    while not told:
        signal.pause()
    print("to nobody", file=sys.stderr, flush=True)
    print("to nobody", flush=True)
open(sys.argv[1], "w").write(str(len(told)))
"""


def test_a_closed_terminal_stops_nothing(tmp_path: os.PathLike[str]) -> None:
    ours, theirs = pty.openpty()
    file = os.path.join(tmp_path, "told")
    with subprocess.Popen(
        [sys.executable, "-c", _HUNG_UP, file],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    ) as process:  # fmt: skip
        os.close(theirs)
        until(lambda: b"begun" in os.read(ours, 100))
        os.close(ours)
        assert process.wait(PATIENCE) == 0
    with open(file) as told:
        assert told.read() == "1"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_who_reads_no_further_gets_no_traceback(stream: str) -> None:
    code = (
        "import sys\nfrom recovery.cli.streams import write_to_whoever_listens\nwrite_to_whoever_listens()\n"
        f"for n in range(100000): print('line', n, file=sys.{stream})\nsys.exit(7)"
    )
    redirect = "2>&1 >/dev/null |" if stream == "stderr" else "2>&3 |"
    shell = f'exec 3>&2; "$@" {redirect} head -n 1; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.stdout, done.stderr) == ("line 0\n7\n", "")
