"""`recover serve` starts whenever it is asked to, however busy the machine is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recovery.server_address import noted_address
from tests.fix_prefect import LINK, Served, run_recover
from tests.soak import busy_loops
from tests.waiting import until

N = int(os.environ.get("N", "1"))


@pytest.fixture
def other(served: Served) -> Iterator[dict[str, str]]:
    """The environment of a person at another site, with the port of this one."""
    folder = served.sandbox.folder / "other"
    folder.mkdir(mode=0o711)
    text = served.settings_file.read_text()
    assert str(served.state_dir) in text
    (folder / "recovery.toml").write_text(text.replace(json.dumps(str(served.state_dir)), json.dumps(str(folder))))
    yield served.environment | {"RECOVERY_CONFIG": str(folder / "recovery.toml")}
    shutil.rmtree(folder)


@pytest.mark.campaign
@pytest.mark.long
@pytest.mark.timeout(0)
def test_every_start_is_a_good_one_beside_busy_loops(served: Served) -> None:
    """About 1 in 15 ended with 12 and no last words, although the server was up."""
    with busy_loops():
        for number in range(1, N + 1):
            stopped = served.recover("serve", "--stop")
            assert stopped.returncode == 0, stopped.stderr
            assert served.programs() == {}
            started = served.recover("serve", "--detach")
            assert (started.returncode, started.stdout.strip()) == (0, served.url), started.stderr
            print(f"start {number} of {N}: good")


@pytest.mark.long
def test_of_two_sites_on_one_port_one_serves_and_the_other_says_so(served: Served, other: dict[str, str]) -> None:
    """Both said that they were ready, and a run asked of one was done on the other."""
    their_state = Path(other["RECOVERY_CONFIG"]).parent
    assert served.recover("serve", "--stop").returncode == 0
    try:
        with ThreadPoolExecutor(2) as pool:
            sites = served.environment, other
            ours, theirs = pool.map(lambda site: run_recover(site, "serve", "--detach"), sites)
        assert sorted((ours.returncode, theirs.returncode)) == [0, 12], ours.stderr + theirs.stderr
        refused = next(one for one in (ours, theirs) if one.returncode)
        *_, problem, next_step = refused.stderr.strip().splitlines()
        assert problem == f"something else serves at {served.url}: another site, or another program"
        assert next_step.startswith("NEXT: choose another port in [server]")
        assert "Traceback" not in refused.stderr
        winner, loser = (served.state_dir, their_state) if refused is theirs else (their_state, served.state_dir)
        assert noted_address(winner)
        assert noted_address(loser) is None
        until(lambda: served.ask("POST", "/work_pools/recovery/workers/filter"), what="a worker")
        assert len(served.ask("POST", "/work_pools/recovery/workers/filter")) == 1
    finally:
        run_recover(other, "serve", "--stop")


@pytest.mark.long
def test_neither_the_shell_nor_what_a_crash_left_hinders_a_start(served: Served) -> None:
    """Proxies that would be asked for the loopback address; settings of the user's own Prefect that it cannot read;
    a lock file with a number that is another program's by now: the start was refused, and told to stop that one."""
    nowhere = "http://127.0.0.1:9"
    shell = {name: nowhere for one in ("HTTP_PROXY", "HTTPS_PROXY") for name in (one, one.lower())}
    shell |= {"ALL_PROXY": "socks5://127.0.0.1:9", "all_proxy": "nonsense", "NO_PROXY": "elsewhere.example"}
    shell |= {
        "PREFECT_LOGGING_LEVEL": "LOUD",
        "PREFECT_CLIENT_CUSTOM_HEADERS": "not JSON",
        "PREFECT_API_REQUEST_TIMEOUT": "x",
        "PREFECT_TEST_MODE": "1",
    }
    environment = {name: value for name, value in served.environment.items() if name != "RECOVERY_NO_SERVER"} | shell
    assert served.recover("serve", "--stop").returncode == 0
    data_dir = served.state_dir / "prefect" / "postgres" / "data"
    (data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir}\n1\n")
    started = run_recover(environment, "serve", "--detach")
    assert (started.returncode, started.stdout.strip()) == (0, served.url), started.stderr
    done = run_recover(environment, "site", "prepare")
    assert done.returncode == 0, done.stderr
    link, *lines = done.stderr.splitlines()
    assert LINK.fullmatch(link), done.stderr
    assert not [line for line in lines if "DEBUG" in line]
    assert served.wait(served.submit("site-prepare/site-prepare"))["state_type"] == "COMPLETED"
