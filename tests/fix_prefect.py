"""One `recover serve` of a small sandbox for all tests of the session: a real server, a real worker."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.processes import flow_run_processes
from recovery.ports import reserve_ports
from recovery.server_address import answers, noted_address
from sandbox import site as sandbox_site
from sandbox.layout import Sandbox
from tests.failures import FAILED
from tests.waiting import PATIENCE, until

NAPS = Path(__file__).parent / "drills" / "naps"
LINK = re.compile(r"http\S+/v2/runs/flow-run/(\S+)")
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_numbers = itertools.count()

_PUT_NAPS = """
from prefect.client.orchestration import get_client
from deployments.catalogue import put_deployment
pool = {"name": "recovery"}
with get_client(sync_client=True) as client:
    put_deployment(client, {"name": "nap", "entrypoint": "naps.nap", "work_pool": pool, "tags": ["test"]})
    put_deployment(client, {"name": "doze", "entrypoint": "naps.doze", "work_pool": pool, "tags": ["test"]})
    put_deployment(client, {"name": "show", "entrypoint": "naps.show", "work_pool": pool, "tags": ["test"]})
    put_deployment(client, {"name": "ask", "entrypoint": "asks.ask", "work_pool": pool, "tags": ["test"]})
    put_deployment(client, {"name": "minutely", "entrypoint": "naps.nap", "work_pool": pool, "tags": ["minutely"],
                            "schedules": [{"slug": "m", "cron": "* * * * *", "timezone": "UTC",
                                           "parameters": {"kind": "deep"}}]})
    put_deployment(client, {"name": "one-nap", "entrypoint": "naps.nap", "work_pool": pool,
                            "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"}})
"""


@dataclass(frozen=True)
class Nap:
    """A run of the tests' own that does nothing until somebody rings."""

    run_id: str
    bell: Path

    def wake(self) -> None:
        self.bell.touch()


@dataclass(frozen=True)
class Served:
    """A running `recover serve`."""

    url: str
    sandbox: Sandbox
    settings_file: Path
    environment: dict[str, str]
    started_at: datetime

    @property
    def state_dir(self) -> Path:
        return self.sandbox.state_dir

    def recover(self, *words: str, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """`recover …` against this site, in a process of its own."""
        return run_recover(self.environment, *words, seconds=seconds)

    def answers(self) -> bool:
        address = noted_address(self.state_dir)
        return address is not None and answers(self.url, address.mark)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}/api{path}", json=body, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def submit(self, deployment: str, **parameters: Any) -> str:
        """Start a deployment by the API; the id of its run."""
        found = self.ask("GET", f"/deployments/name/{deployment}")
        run = self.ask("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def nap(self, deployment: str = "nap/nap") -> Nap:
        """A run that goes on until it is woken; it has begun."""
        bell = self.sandbox.folder / f"bell-{next(_numbers)}"
        nap = Nap(self.submit(deployment, until=str(bell)), bell)
        self.wait(nap.run_id, "RUNNING")
        return nap

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run_id}")
        return found

    def called_by(self, run_id: str) -> list[str]:
        """The subflow runs of this run."""
        wanted = {"flow_runs": {"parent_flow_run_id": {"any_": [run_id]}}}
        return [str(run["id"]) for run in self.ask("POST", "/flow_runs/filter", wanted)]

    def wait(self, run_id: str, *states: str) -> dict[str, Any]:
        """The run when it has come to one of these states (any final one when none is named)."""
        wanted = states or FINAL
        until(
            lambda: self.run(run_id)["state_type"] in wanted,
            what=lambda: f"the run is {self.run(run_id)['state']['name']}: {self.logs(run_id)}",
        )
        return self.run(run_id)

    def programs(self) -> dict[int, str]:
        """Every process of this server, its runs included: the id and the command."""
        mark, found = f"PREFECT_HOME={self.state_dir}/prefect/home".encode(), {}
        own = str(self.state_dir / "prefect" / "postgres")
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if own in command or mark in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = command
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if command}

    def engine(self, run_id: str) -> int:
        """The process that carries this run."""
        return flow_run_processes(self.state_dir / "prefect" / "home")[run_id]

    def program(self, words: str) -> int:
        """The part of the server with these words in its command; it may just be starting again."""
        return int(until(lambda: self._pids(words), what=lambda: f"{words} in {self.programs()}")[0])

    def _pids(self, words: str) -> list[int]:
        return [pid for pid, command in self.programs().items() if words in command]

    def worker(self) -> int:
        return self.program("deployments.worker")

    def logs(self, run_id: str) -> list[str]:
        found = self.ask("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"})
        return [line["message"] for line in found]


def run_recover(
    environment: dict[str, str], *words: str, seconds: float = PATIENCE, folder: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", "from recovery.cli.main import main; main()", *words],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.fixture(scope="session")
def served_sandbox(sandbox_room: Path) -> Iterator[tuple[Sandbox, Path]]:
    """A small site that is prepared for backups, with a port for its Prefect server."""
    folder = sandbox_room / "served"
    try:
        sandbox = sandbox_site.up(folder, transactions_per_second=5)
        port = reserve_ports(sandbox.folder, ["prefect"])["prefect"]
        settings_file = sandbox.folder / "served.toml"
        settings_file.write_text(sandbox.settings_file.read_text() + f"\n[server]\nport = {port}\n")
        yield sandbox, settings_file
    finally:
        sandbox_site.down(folder)


@pytest.fixture
def served(server: Served) -> Served:
    """The server of the session, up: whatever the test before this one did to it."""
    started = server.recover("serve", "--detach")
    assert started.returncode == 0, started.stderr
    return server


@pytest.fixture(scope="session")
def server(served_sandbox: tuple[Sandbox, Path]) -> Iterator[Served]:
    """`recover serve --detach`, with some deployments of the tests' own besides the real ones."""
    sandbox, settings_file = served_sandbox
    environment = (
        dict(os.environ)
        | sandbox_site.recover_environment(sandbox)
        | {
            "RECOVERY_CONFIG": str(settings_file),
            "PYTHONPATH": str(NAPS),
        }
    )
    begin = datetime.now(UTC)
    try:
        started = run_recover(environment, "serve", "--detach")
        assert started.returncode == 0, started.stderr
        url = started.stdout.strip()
        home = {"PREFECT_API_URL": f"{url}/api", "PREFECT_HOME": str(sandbox.state_dir / "prefect" / "home")}
        subprocess.run(
            [sys.executable, "-P", "-c", _PUT_NAPS], env=environment | home, cwd="/", check=True, timeout=PATIENCE
        )
        yield Served(url, sandbox, settings_file, environment, begin)
    finally:
        run_recover(environment, "serve", "--stop")


@pytest.fixture
def page(served: Served, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A page of a real browser without a head. When the test fails, its text is in the output, and where its picture is."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, base_url=served.url)
            page.set_default_timeout(PATIENCE * 1000)
            yield page
            if request.node.stash.get(FAILED, False):
                picture = Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"failed-{request.node.name}.png"
                page.screenshot(path=picture)
                print(f"{page.url} when the test failed, its picture in {picture}:\n{page.inner_text('body')}")
        finally:
            browser.close()


def find_chromium() -> str:
    """The browser's program; without one the test is skipped, in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed (apt install chromium)")
        pytest.skip("chromium is not installed (apt install chromium)")
    return found
