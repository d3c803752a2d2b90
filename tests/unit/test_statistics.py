"""Statistics of repositories that cannot be read are no zeroes."""

from __future__ import annotations

import pytest

from recovery.cli.statistics import show_statistics
from recovery.errors import VerificationFailed
from recovery.facts import RepoFacts


def test_no_repository_can_be_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    dead = [RepoFacts(1, "near", "us-east-1", "it does not answer"), RepoFacts(2, "far", "us-west-2", "wrong key")]
    monkeypatch.setattr("tasks.backups.read_server_if_it_answers", lambda: None)
    monkeypatch.setattr("tasks.backups.read_repositories", lambda _server: dead)
    with pytest.raises(VerificationFailed) as refused:
        show_statistics(as_json=True)
    assert refused.value.problem == "no repository can be read: near: it does not answer; far: wrong key"
    assert capsys.readouterr().out == ""
