"""The application as its users see it, and what stands behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from checks.application_cause import SLOW_SECONDS
from recovery.adapters.postgres.connection import connect
from recovery.errors import TargetUnreachable, VerificationFailed
from recovery.facts import HealthFacts
from recovery.site import site
from recovery.waiting import wait_until
from tasks.step import probe, verify

_LOOKS = 3
_HERE_SECONDS = 3
_PAUSE_SECONDS = 0.5


Component = Literal["backend", "frontend"]
COMPONENTS: tuple[Component, ...] = ("backend", "frontend")


def url_of(component: Component) -> str | None:
    """Where a component says how it is; None when the settings do not tell."""
    settings = site().settings.application
    return settings.health_url if component == "backend" else settings.frontend_url


@probe
def read_health(component: Component) -> HealthFacts:
    """Ask the health check three times; the worst answer counts, for one pod of several may be ill."""
    url = url_of(component)
    if url is None:
        return HealthFacts(200, 0.0, {}, "not asked: application.frontend_url is not set")
    seen = [site().application.look(url) for _ in range(_LOOKS)]
    worst = max(seen, key=lambda one: (not one.green, one.seconds))
    return replace(worst, looks=_LOOKS, red_looks=sum(not one.green for one in seen))


@probe
def find_database_problem() -> str:
    """Say why the database does not answer from here; nothing when it does.

    Raises: SettingsInvalid when it answers and does not let us in: that is no word on how the application fares.
    """
    try:
        with connect(site().reader_address(), connect_seconds=_HERE_SECONDS, statement_seconds=_HERE_SECONDS) as here:
            here.execute("SELECT 1")
    except TargetUnreachable as error:
        return error.problem.splitlines()[0]
    return ""


@probe
def find_cache_problem() -> str:
    """Say why the cache does not answer from here; nothing when it does. Raises: SettingsInvalid."""
    return site().cache.problem(seconds=_HERE_SECONDS)


@verify
def verify_application_healthy(seconds: float, component: Component = "backend") -> HealthFacts:
    """Wait until the application's own health check is green three times in a row.

    Waits: up to `seconds`. Raises: VerificationFailed with what it says instead.
    """
    in_a_row, url = 0, url_of(component)
    if url is None:
        return HealthFacts(200, 0.0, {}, "not asked: application.frontend_url is not set")

    def look() -> HealthFacts:
        nonlocal in_a_row
        seen = site().application.look(url)
        in_a_row = in_a_row + 1 if seen.green and seen.seconds < SLOW_SECONDS else 0
        return seen

    seen = wait_until(look, seconds, so=lambda _: in_a_row >= _LOOKS, pause=_PAUSE_SECONDS)
    if in_a_row < _LOOKS:
        raise VerificationFailed(f"the application is not healthy: {said(seen)}", "run it again: it looks anew")
    return seen


def said(health: HealthFacts) -> str:
    """What a health check said, in a few words."""
    if not health.status:
        return f"its health check does not answer ({health.problem})"
    parts = ", ".join(f"{name}: {word}" for name, word in health.checks.items() if word != "pass")
    return f"its health check says {health.status}{f' ({parts})' if parts else ''} after {health.seconds:.1f} s"
