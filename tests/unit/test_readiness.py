"""What an existing site needs, and what may be asked for it."""

from __future__ import annotations

import pytest

from checks.readiness import changes_refusal


@pytest.mark.parametrize(
    ("apply", "restart", "first_backup", "said"),
    [
        (False, False, False, None),
        (True, True, True, None),
        (False, True, False, "--restart does nothing without --apply"),
        (False, False, True, "--first-backup does nothing without --apply"),
        (False, True, True, "--restart does nothing without --apply"),
    ],
)
def test_without_apply_nothing_else_is_asked_for(
    apply: bool, restart: bool, first_backup: bool, said: str | None
) -> None:
    assert changes_refusal(apply=apply, restart=restart, first_backup=first_backup) == said
