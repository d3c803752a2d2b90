"""What is shown of rows that break a rule: enough to find them, and nothing that many must not read."""

from __future__ import annotations

import pytest

from recovery.adapters.expectations.verdict import verdict
from recovery.adapters.postgres.seen import Seen
from recovery.catalog import TableName
from recovery.expectation import Expectation, ExpectationKind
from recovery.redaction import MASK

USERS = TableName("public", "users")


@pytest.mark.parametrize("column", ["session_token", "Email", "billing_mail", "lower((email)::text)", "phone_number"])
def test_a_key_of_secrets_or_addresses_is_masked(column: str) -> None:
    key = Expectation("unique keys", "a key", "", ExpectationKind.UNIQUE, USERS, columns=(column,))
    seen = Seen(2, (((column, "what nobody may read"), ("times", "2")),))
    assert verdict(key, seen, met=False).examples == (f"{column} = {MASK}, times = 2",)


def test_an_ordinary_column_is_shown() -> None:
    key = Expectation("unique keys", "a key", "", ExpectationKind.UNIQUE, USERS, columns=("name",))
    assert verdict(key, Seen(2, ((("name", "Ada"),),)), met=False).examples == ("name = Ada",)
