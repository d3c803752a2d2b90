"""The site's own rules: read from the folder that the settings name."""

from __future__ import annotations

from pathlib import Path

from checks.site_rules import site_rule, unreadable_rule
from recovery.expectation import Expectation
from recovery.site import site


def read_site_rules() -> tuple[Expectation, ...]:
    """Read the site's own rules, in the order of their file names; what cannot be read is said as not checked."""
    folder = site().settings.checks.rules
    if folder is None:
        return ()
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    except OSError as error:
        return (unreadable_rule("the site's own rules", f"the folder {folder} cannot be read: {error.strerror}"),)
    return tuple(_read(path) for path in paths) or (
        unreadable_rule("the site's own rules", f"no .sql file in {folder}"),
    )


def _read(path: Path) -> Expectation:
    try:
        return site_rule(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return unreadable_rule(path.stem, f"{path} cannot be read: {error}")
