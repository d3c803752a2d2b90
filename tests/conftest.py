"""What all tests share: versions in the header, and every fixture module beside this file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from recovery.errors import SettingsInvalid
from sandbox.layout import find_bin_dir

_FIXTURES = [f"tests.{file.stem}" for file in sorted(Path(__file__).parent.glob("fix_*.py"))]
pytest_plugins = ["tests.failures", "tests.second_try", *_FIXTURES]

_SERVERS = {"pgbackrest": ["pgbackrest", "version"], "redis-server": ["redis-server", "--version"]}


def pytest_report_header() -> list[str]:
    """Which real servers these tests run against."""
    return [_first_line(argv) for argv in (["postgres", "--version"], *_SERVERS.values())]


def require_programs(*names: str) -> None:
    """Skip, naming what is missing; in CI a missing program is a failure, never a silent gap."""
    missing = [name for name in names if _find(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _find(name: str) -> str | None:
    try:
        server_program = find_bin_dir() / name
    except SettingsInvalid:
        return shutil.which(name)
    return str(server_program) if server_program.exists() else shutil.which(name)


def _first_line(argv: list[str]) -> str:
    program = _find(argv[0])
    if program is None:
        return f"{argv[0]}: not installed"
    told = subprocess.run([program, *argv[1:]], capture_output=True, text=True, timeout=20, check=False)
    return told.stdout.split("\n", 1)[0]
