"""What an event says, as a person would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from checks.incident import task_name
from checks.objectives import exact_span
from recovery.facts import IncidentEvent, Moment
from recovery.facts.incident import moment_of, span_of
from tasks.incident_report.document import readable

Details = Mapping[str, Any]


def sentence(event: IncidentEvent) -> str:
    """One event in one sentence; one that nobody foresaw with all that it holds."""
    say = _SAID.get(event.event)
    text = say(event.details) if say else f"{event.event} {spoken(event.details)}"
    return readable(f"{text} ({event.by})" if event.by and event.event != "run" else text)


def spoken(value: Any) -> str:
    """Whatever an event holds, in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {spoken(one)}" for key, one in value.items() if one not in (None, "", [], {}))
    if isinstance(value, (list, tuple)):
        return "; ".join(map(spoken, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def named(value: Any) -> str:
    """An option of a plan: by its name and title when it has both, and why it was not taken."""
    if not isinstance(value, Mapping):
        return spoken(value)
    name = " – ".join(str(value[key]) for key in ("name", "title") if value.get(key))
    why = value.get("rejected") or value.get("reason") or value.get("why")
    return (f"{name}: {why}" if why else name) or spoken(value)


def options(value: Any) -> list[str]:
    """The options of a plan, whether they are told as a list or as name → reason."""
    if isinstance(value, Mapping):
        return [f"{name}: {spoken(why)}" for name, why in value.items()]
    return [named(one) for one in value] if isinstance(value, (list, tuple)) else [spoken(value)] if value else []


def lasted(details: Details) -> str:
    """How long it took, when that is told."""
    span = span_of(details["seconds"]) if "seconds" in details else None
    return exact_span(span) if span is not None else ""


def digest(details: Details) -> str:
    """The beginning of a plan's hash."""
    return str(details.get("digest", details.get("plan", "")))[:12]


def _opened(details: Details) -> str:
    what = "a drill" if details.get("drill") is True else "an incident"
    scenario = f" of {details['scenario']}" if details.get("scenario") else ""
    return f"opened as {what}{scenario}" + (f": {details['summary']}" if details.get("summary") else "")


def _run(details: Details) -> str:
    name = details.get("run") or "a run"
    if details.get("phase") == "end":
        return f"{name} ended: {details.get('outcome', 'not known')}"
    begun = f"{name} began"
    return f"{begun} on {details['machine']} (process {details.get('pid')})" if details.get("machine") else begun


def _plan(details: Details) -> str:
    parts = [f"plan {digest(details)}"]
    if chosen := options(details.get("chosen")):
        parts.append(f"chosen: {'; '.join(chosen)}")
    if rejected := options(details.get("rejected")):
        parts.append(f"rejected: {'; '.join(rejected)}")
    return " · ".join(parts)


def _asked(details: Details) -> str:
    until = moment_of(details.get("until"))
    return f"approval of plan {digest(details)} is asked for" + (f" until {until:%H:%M:%S} UTC" if until else "")


def _approval(details: Details) -> str:
    word = {True: "approved", False: "refused"}.get(details.get("granted", ""), "answered")
    reason = f": {details['reason']}" if details.get("reason") else ""
    way = f" by {details['way']}" if details.get("way") else ""
    return f"plan {digest(details)} was {word}{way}{reason}"


def _action(details: Details) -> str:
    said = (str(details.get(key) or "") for key in ("name", "what", "outcome", "problem"))
    return "action " + ", ".join(one for one in (*said, lasted(details)) if one)


def _option(details: Details) -> str:
    took = f" after {lasted(details)}" if lasted(details) else ""
    why = f": {details['problem']}" if details.get("problem") else ""
    return f"option {details.get('option', '')} {details.get('outcome', '')}{took}{why}"


def _evidence(details: Details) -> str:
    return f"evidence kept: {details.get('name', '')} ({details.get('bytes', '?')} bytes)"


def _recovered(details: Details) -> str:
    loss = span_of(details.get("data_loss_seconds"))
    lost = "" if loss is None else f"; data lost: {exact_span(loss) if loss else 'none'}"
    return f"recovered: the application's own health is green{_when(details)}{lost}"


def _handed_over(details: Details) -> str:
    why = f": {details['reason']}" if details.get("reason") else ""
    return f"handed over to {details.get('to', details.get('scenario', ''))}{why}"


def _open_task(details: Details) -> str:
    command = f" ({details['command']})" if details.get("command") else ""
    return f"left to do: {task_name(details)}{command}"


def _lease(details: Details) -> str:
    why = f", taken over: {details['reason']}" if details.get("reason") else ""
    return f"the site is held by {details.get('holder', '')} (token {details.get('token', '')}{why})"


def _when(details: Details) -> str:
    moment = moment_of(details.get("moment"))
    return f" at {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _moment(word: str) -> Callable[[Details], str]:
    return lambda details: f"{word}{_when(details)}"


_SAID: dict[str, Callable[[Details], str]] = {
    "opened": _opened,
    "run": _run,
    "plan": _plan,
    "approval asked": _asked,
    "approval": _approval,
    "action": _action,
    "option": _option,
    "evidence": _evidence,
    "severity": lambda details: f"severity: {details.get('severity', '')}",
    "handed over": _handed_over,
    "open task": _open_task,
    "task done": lambda details: f"done: {task_name(details)}",
    "approval unanswered": lambda details: f"nobody answered for plan {digest(details)} in time",
    "lease": _lease,
    "closed": lambda details: f"closed; causes: {details.get('causes', '')}",
    "opened again": lambda _details: "opened again",
    **{one.value: _moment(one.value) for one in Moment},
    Moment.RECOVERED.value: _recovered,
}
