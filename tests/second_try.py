"""`--second-try`: a drill that failed runs once more, alone. When it passes then, it is listed as FLAKY.

A drill starts a dozen servers; one hiccup of the machine must not hold up everybody's work. But what is
listed is a fault, of the test or (look there first) of the product, and is mended next: CONTRIBUTING.md.
Unit and integration tests get no second try.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_DRILLS = Path(__file__).parent / "drills"
_SECONDS = 1800.0
_KEY = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--second-try", action="store_true", help="run a drill that failed once more, alone")
    parser.addoption("--second-try-below", default=str(_DRILLS), help="the folder whose tests get one")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """When all tests and their servers have ended: the second tries. Only they can turn a red run green."""
    config = session.config
    if not config.getoption("--second-try") or session.exitstatus != pytest.ExitCode.TESTS_FAILED:
        return
    if hasattr(config, "workerinput"):  # one of several processes: whoever started them hears of all failures
        return
    if session.shouldfail or session.shouldstop:  # -x, --maxfail: what did not run did not pass
        return
    reports = config.pluginmanager.get_plugin("terminalreporter").stats
    failed = _failed(reports)
    below = Path(config.getoption("--second-try-below"))
    passed = [name for name in failed if _is_below(name, below, config) and _passes_alone(name, config)]
    config.stash[_KEY] = [f"FLAKY: {name}: {failed[name]}" for name in passed]
    flaky = {}
    for outcome in ("failed", "error"):
        flaky |= {one.nodeid: one for one in reports.get(outcome, []) if one.nodeid in passed}
        reports[outcome] = [one for one in reports.get(outcome, []) if one.nodeid not in passed]
    if flaky:
        reports["flaky"] = list(flaky.values())
    if passed and set(failed) == set(passed):
        session.exitstatus = pytest.ExitCode.OK


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The list, after everything else, also when it is empty."""
    if config.getoption("--second-try"):
        for line in config.stash.get(_KEY, []) or ["FLAKY: none"]:
            terminalreporter.write_line(line)


def _failed(reports: dict[str, list[Any]]) -> dict[str, str]:
    """The tests that failed, each with the last line of its first failure."""
    failed: dict[str, str] = {}
    for report in [*reports.get("error", []), *reports.get("failed", [])]:
        if isinstance(report, pytest.TestReport):
            failed.setdefault(report.nodeid, _last_line(report))
        else:
            failed.setdefault(report.nodeid, "could not be collected")
    return failed


def _last_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return lines[-1].strip() if lines else "no message"


def _is_below(nodeid: str, folder: Path, config: pytest.Config) -> bool:
    return (config.rootpath / nodeid.partition("::")[0]).is_relative_to(folder)


def _passes_alone(nodeid: str, config: pytest.Config) -> bool:
    print(f"\n\n---- second try, alone: {nodeid}", flush=True)
    argv = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", nodeid]
    try:
        return subprocess.run(argv, cwd=config.rootpath, timeout=_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
