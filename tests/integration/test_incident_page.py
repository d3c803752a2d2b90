"""The report in a real browser without a network: it loads nothing, can be read in the light, the dark, on a telephone.

SCREENSHOTS=folder keeps the picture of docs/incidents.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.incident_view import view_of
from recovery.facts import Incident, IncidentEvent
from recovery.facts.incident import incident_of
from recovery.settings import Settings
from tasks.incident_report.contents import post_mortem
from tasks.incident_report.gathered import Approval, Gathered
from tasks.incident_report.page import as_page
from tasks.incident_report.runs import RunStep, RunStory
from tests.fix_prefect import find_chromium
from tests.waiting import PATIENCE

T0 = datetime(2026, 1, 15, 3, 12, tzinfo=UTC)
PLAN = "3f9a61c07d52" + "b" * 52
REPO = {"bucket": "clickview-backups"}
SITE = Settings.model_validate({"backup": {"encryption_key": "key-of-the-repository", "primary": REPO}})


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def told(second: float, event: str, by: str = "", **details: Any) -> IncidentEvent:
    return IncidentEvent(at(second), event, details, by, "ops1")


def incident() -> Incident:
    rejected = {"name": "scale-up", "title": "5 pods", "rejected": "capacity is not what is missing: 41 % CPU"}
    events = (
        told(95, "opened", scenario="application-failure", severity="SEV-2", summary="502: 1 of 3 pods answers"),
        told(95, "occurred", moment=at(0).isoformat()),
        told(95, "detected", by="Alertmanager", moment=at(70).isoformat()),
        told(170, "acknowledged", by="Ada", moment=at(170).isoformat()),
        told(172, "plan", digest=PLAN, chosen=["roll-back – run version 41 again"], rejected=[rejected]),
        told(230, "decided"),
        told(252, "action", name="roll_back", what="deployment/clickview-backend", seconds=20, outcome="done"),
        told(262, "recovered", data_loss_seconds=0),
        told(262, "open task", name="scale back", command="recover application scale-back"),
        told(263, "evidence", name="backend-7d9f.log", file="evidence/run/backend.log", sha256="ab" * 32, bytes=99_411),
    )
    return incident_of("INC-4711", [events])


def document() -> str:
    steps = (
        RunStep(at(160), "probe", "read application", "done", timedelta(seconds=8), ""),
        RunStep(at(232), "action", "roll back", "done", timedelta(seconds=20), ""),
        RunStep(at(252), "verify", "verify application healthy", "done", timedelta(seconds=10), ""),
    )
    run = RunStory(
        "20260115T031440Z-application-failure-43b1a1", "recover", "ops1", "ada", at(158), at(263), "done", steps
    )
    yes = Approval(PLAN, at(173), at(229), "approved", "Ada", "ada", "terminal", "version 42 answers nobody")
    return as_page(post_mortem(Gathered(view_of(incident(), SITE, at(600)), (run,), (yes,)), at(600)))


@pytest.fixture
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


def test_it_is_read_without_a_network_in_the_light_the_dark_and_on_a_telephone(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "INC-4711.html"
    file.write_text(document())
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))
    colours = set()
    for scheme, width in (("light", 1000), ("dark", 1000), ("light", 400)):
        page = browser.new_page(viewport={"width": width, "height": 1270}, color_scheme=scheme)
        page.set_default_timeout(PATIENCE * 1000)
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda one, asked=asked: asked.append(one.url))
        page.on("console", lambda one, said=said: said.append(one.text))
        page.goto(file.as_uri())
        page.get_by_role("heading", name="Post-mortem INC-4711").wait_for()
        page.get_by_role("cell", name="Time to Recovery").wait_for()
        assert page.get_by_role("img", name="Timeline of the incident").locator("rect").count() >= 9
        assert (asked, said) == ([file.as_uri()], [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.screenshot(path=pictures / f"incident-report-{scheme}-{width}.png")
    assert len(colours) == 2
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
