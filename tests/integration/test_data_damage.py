"""Every kind of damage in the data is seen by the check that is made for it, and by no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checks.as_recorded import Source
from recovery.facts import DatabaseAddress
from tasks.data import check_data
from tests.damage_kinds import DAMAGE
from tests.fix_data import damage, failures

pytestmark = pytest.mark.usefixtures("checker")


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_seen(database: DatabaseAddress, kind: str) -> None:
    statements, check = DAMAGE[kind]
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now()")
    damage(database, *statements)
    report = check_data(database, Source(), target=datetime.now(UTC))
    assert set(failures(report)) == {check}
    assert failures(report)[check].found
