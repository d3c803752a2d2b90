"""One `recover serve` of a small sandbox for all tests of the session: a real server, a real worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.place import free_port
from deployments.processes import flow_run_processes
from recovery.server_address import answers
from sandbox import site as sandbox_site
from sandbox.layout import Sandbox

NAPS = Path(__file__).parent / "drills" / "naps"
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

_PUT_NAPS = """
from prefect.client.orchestration import get_client
from deployments.catalogue import put_deployment
pool = {"name": "recovery"}
with get_client(sync_client=True) as client:
    put_deployment(client, {"name": "nap", "entrypoint": "naps.nap", "work_pool": pool, "tags": ["test"]})
    put_deployment(client, {"name": "show", "entrypoint": "naps.show", "work_pool": pool, "tags": ["test"]})
    put_deployment(client, {"name": "minutely", "entrypoint": "naps.nap", "work_pool": pool, "tags": ["minutely"],
                            "schedules": [{"slug": "m", "cron": "* * * * *", "timezone": "UTC",
                                           "parameters": {"kind": "deep"}}]})
    put_deployment(client, {"name": "one-nap", "entrypoint": "naps.nap", "work_pool": pool,
                            "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"}})
"""


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

    def recover(self, *words: str, seconds: float = 100) -> subprocess.CompletedProcess[str]:
        """`recover …` against this site, in a process of its own."""
        return run_recover(self.environment, *words, seconds=seconds)

    def answers(self) -> bool:
        return answers(self.url)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}/api{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def submit(self, deployment: str, **parameters: Any) -> str:
        """Start a deployment by the API; the id of its run."""
        found = self.ask("GET", f"/deployments/name/{deployment}")
        run = self.ask("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run_id}")
        return found

    def wait(self, run_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """The run when it has come to one of these states (any final one when none is named)."""
        wanted = states or FINAL
        wait_for(
            lambda: self.run(run_id)["state_type"] in wanted,
            seconds=seconds,
            say=lambda: f"the run is {self.run(run_id)['state']['name']}: {self.logs(run_id)}",
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

    def worker(self) -> int:
        [pid] = [pid for pid, command in self.programs().items() if "deployments.worker" in command]
        return pid

    def logs(self, run_id: str) -> list[str]:
        found = self.ask("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"})
        return [line["message"] for line in found]


def wait_for(condition: Callable[[], Any], *, seconds: float, say: Callable[[], str] = lambda: "") -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {seconds} s: {say()}")
        time.sleep(0.1)


def run_recover(environment: dict[str, str], *words: str, seconds: float = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", "from recovery.cli.main import main; main()", *words],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.fixture(scope="session")
def served_sandbox(sandbox_room: Path) -> Iterator[tuple[Sandbox, Path]]:
    """A small site that is prepared for backups, with a free port for its Prefect server."""
    folder = sandbox_room / "served"
    try:
        sandbox = sandbox_site.up(folder, transactions_per_second=5)
        settings_file = sandbox.folder / "served.toml"
        settings_file.write_text(sandbox.settings_file.read_text() + f"\n[server]\nport = {free_port()}\n")
        yield sandbox, settings_file
    finally:
        sandbox_site.down(folder)


@pytest.fixture(scope="session")
def served(served_sandbox: tuple[Sandbox, Path]) -> Iterator[Served]:
    """`recover serve --detach`, with two deployments of the tests' own besides the real ones."""
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
        subprocess.run([sys.executable, "-P", "-c", _PUT_NAPS], env=environment | home, cwd="/", check=True, timeout=60)
        yield Served(url, sandbox, settings_file, environment, begin)
    finally:
        run_recover(environment, "serve", "--stop")


@pytest.fixture
def page(served: Served, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of a real browser without a head."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, base_url=served.url)
            page.set_default_timeout(20_000)
            yield page
            if folder := os.environ.get("SCREENSHOTS"):
                page.screenshot(path=Path(folder) / f"last-{request.node.name}.png")
        finally:
            browser.close()


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed (apt install chromium)")
        pytest.skip("chromium is not installed (apt install chromium)")
    return found
