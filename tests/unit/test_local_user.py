"""One recovery.toml serves root and the database's user: who is that user already leaves the prefix out."""

from __future__ import annotations

import os
import pwd

import pytest

from recovery.adapters.local_user import changes_user, needed_prefix

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    "prefix",
    [
        ("runuser", "-u", ME, "--"),
        ("/usr/sbin/runuser", "--user", ME, "--"),
        ("sudo", "-n", "-u", ME),
        ("setpriv", f"--reuid={os.geteuid()}", "--clear-groups", "--"),
    ],
)
def test_who_is_that_user_leaves_it_out(prefix: tuple[str, ...]) -> None:
    assert changes_user(prefix)
    assert needed_prefix(prefix) == ()


@pytest.mark.parametrize(
    "prefix",
    [
        (),
        ("runuser", "-u", "nobody", "--"),
        ("runuser", "-u", "not-there", "--"),
        ("sudo",),
        ("ssh", "db1", "runuser", "-u", ME, "--"),
        ("runuser", "-u", ME, "--", "ssh", "db1"),
        ("docker", "exec", "-u", ME, "db"),
    ],
)
def test_any_other_prefix_stays(prefix: tuple[str, ...]) -> None:
    assert needed_prefix(prefix) == prefix
