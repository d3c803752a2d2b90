"""The report of the data checks: one HTML file that needs nothing else, worst news first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from html import escape
from itertools import groupby

from recovery.adapters.expectations.style import CSS
from recovery.adapters.expectations.verdict import SERVER_SAYS
from recovery.facts import CheckReport, CheckResult, CheckStatus

_MARK = {CheckStatus.PASSED: "✓", CheckStatus.WARNING: "!", CheckStatus.FAILED: "✗", CheckStatus.NOT_CHECKED: "–"}

# What an engineer does about a failure, by suite.
_NEXT = {
    "tables": "the copy lacks a migration, or something was dropped before its moment: restore to an earlier one",
    "rows": "find when the rows went (compare the backups' recorded counts) and restore to before that",
    "foreign keys": "mend the rows named here, or restore to before they lost what they belong to",
    "ClickView": "mend the rows named here, or restore to before they broke the rule",
    "unique keys": "an index did not do its work: settle the repeated rows first, then REINDEX",
    "constraints": "mend the rows named here; look for who switched triggers or constraints off",
    "indexes": "REINDEX what is named here, then check again",
    "sequences": "set the sequence past the newest value with setval(), before anyone writes",
    "freshness": "the recovery did not stop where it should: read its log, then restore again",
    "physical": "do not use this copy: restore another set or the other region's, and look at the source's disk",
}

_COULD_NOT_LOOK = "nobody could look: settle what the server says first (damage, rights, a table that is gone)"


def render_html(report: CheckReport) -> str:
    """The whole page."""
    title = f"Data checks of {report.database}: {'passed' if report.passed else 'FAILED'}"
    parts = [
        _banner(report),
        _about(report),
        *_section("Failed", report.failures, _failure),
        *_section("Warnings", report.warnings, _failure),
        *_section("Not checked", report.not_checked, _failure),
        *_passed(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _banner(report: CheckReport) -> str:
    failed, warned, skipped = len(report.failures), len(report.warnings), len(report.not_checked)
    passed = sum(result.passed for result in report.results)
    if failed:
        headline = f"{failed} of {len(report.results)} checks failed"
        advice = "Do not put this database into service before each failure below is understood."
    elif report.passed:
        besides = [f"{number} {what}" for number, what in ((warned, "warnings"), (skipped, "not checked")) if number]
        headline = ", ".join([f"{passed} checks passed", *besides]) if besides else f"All {passed} checks passed"
        advice = "Nothing found that speaks against using this database."
        if warned:
            advice = (
                "Nothing was lost on the way that is known; read the warnings before this database goes into service."
            )
    else:
        headline = "Nothing was checked"
        advice = "Nobody has looked at this data: do not rely on it."
    state = "good" if report.passed else "bad"
    counts = "".join(
        f'<li class="{name}"><b>{number}</b> {label}</li>'
        for name, number, label in (
            ("bad", failed, "failed"),
            ("open", warned, "warnings"),
            ("open", skipped, "not checked"),
            ("good", passed, "passed"),
        )
    )
    return (
        f'<header class="{state}"><p class="what">Data checks of <b>{escape(report.database)}</b></p>'
        f'<h1>{headline}</h1><p>{advice}</p><ul class="counts">{counts}</ul></header>'
    )


def _about(report: CheckReport) -> str:
    began = f"{report.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {report.seconds:.1f} s"
    pairs = [*report.about, ("Checked", began)]
    return (
        "<dl>"
        + "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in pairs)
        + "</dl>"
    )


def _section(title: str, results: tuple[CheckResult, ...], show: Callable[[CheckResult], str]) -> list[str]:
    if not results:
        return []
    return [f"<section><h2>{title} <small>{len(results)}</small></h2>", *map(show, results), "</section>"]


def _failure(result: CheckResult) -> str:
    kind = "bad" if result.status is CheckStatus.FAILED else "open"
    expected = f"<dt>expected</dt><dd>{escape(result.expected)}</dd>" if result.expected else ""
    label = "why" if result.status is CheckStatus.NOT_CHECKED else "found"
    examples = "".join(f"<li><code>{escape(example)}</code></li>" for example in result.examples)
    listed = f"<p>For example:</p><ol>{examples}</ol>" if examples else ""
    advice = _advice(result)
    following = f"<dt>next</dt><dd>{escape(advice)}</dd>" if advice else ""
    return (
        f'<article class="{kind}"><h3><i>{_MARK[result.status]}</i> {escape(result.name)}'
        f" <small>{escape(result.suite)}</small></h3>"
        f'<dl class="verdict">{expected}<dt>{label}</dt><dd><b>{escape(result.found)}</b></dd>{following}</dl>'
        f"{listed}</article>"
    )


def _advice(result: CheckResult) -> str:
    if result.status is not CheckStatus.FAILED:
        return ""
    return _COULD_NOT_LOOK if result.found.startswith(SERVER_SAYS) else _NEXT.get(result.suite, "")


def _passed(report: CheckReport) -> list[str]:
    results = sorted((result for result in report.results if result.passed), key=lambda result: result.suite.lower())
    if not results:
        return []
    groups = [(suite, list(group)) for suite, group in groupby(results, key=lambda result: result.suite)]
    return [f"<section><h2>Passed <small>{len(results)}</small></h2>", *map(_group, groups), "</section>"]


def _group(group: tuple[str, list[CheckResult]]) -> str:
    suite, results = group
    rows = "".join(
        f"<tr><td><i>✓</i> {escape(result.name)}</td><td>{escape(result.expected)}</td>"
        f"<td>{escape(result.found)}</td></tr>"
        for result in results
    )
    return (
        f"<details open><summary>{escape(suite)} <small>{len(results)}</small></summary>"
        f"<table><thead><tr><th>check</th><th>expected</th><th>found</th></tr></thead><tbody>{rows}</tbody></table>"
        "</details>"
    )
