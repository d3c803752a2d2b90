"""The lease of a site, on a real S3 server: one holds it, whoever else is there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from recovery.adapters.s3 import DocumentBucket
from recovery.adapters.site_lease import HeldLease, Holder, SiteLease
from recovery.errors import Busy, GateRefused
from recovery.settings import load_settings
from recovery.site import Site
from sandbox.layout import Sandbox
from tests.waiting import until

HOLDER = Holder("20260115-application-failure-1", "INC-1", "ops1", 4711, 60, "")


def bucket(sandbox: Sandbox) -> DocumentBucket:
    """The evidence as one machine sees it: with a connection of its own."""
    found = Site(load_settings(sandbox.settings_file, {})).evidence
    assert isinstance(found, DocumentBucket)
    return found


@pytest.fixture
def lease(sandbox: Sandbox) -> Iterator[SiteLease]:
    documents = bucket(sandbox)
    documents.remove("clickview.lease")
    yield SiteLease(documents, "clickview")
    documents.remove("clickview.lease")


def test_the_second_is_told_who_holds_it(lease: SiteLease, sandbox: Sandbox) -> None:
    held = lease.take(HOLDER)
    with pytest.raises(Busy) as busy:
        SiteLease(bucket(sandbox), "clickview").take(replace(HOLDER, run="another", machine="ops2"))
    assert busy.value.problem.startswith("a recovery holds this site for another ")
    assert busy.value.problem.endswith(": run 20260115-application-failure-1 (incident INC-1, process 4711 on ops1)")
    renewed = lease.renew(held)
    assert renewed.token == held.token
    lease.release(renewed)
    assert SiteLease(bucket(sandbox), "clickview").take(replace(HOLDER, machine="ops2")).token == held.token + 1


def test_of_many_at_the_same_moment_one_takes_it(lease: SiteLease, sandbox: Sandbox) -> None:
    def take(number: int) -> HeldLease | Busy:
        try:
            return SiteLease(bucket(sandbox), "clickview").take(replace(HOLDER, pid=number))
        except Busy as busy:
            return busy

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(take, range(32)))
    assert len([one for one in told if isinstance(one, HeldLease)]) == 1
    assert lease.renew(next(one for one in told if isinstance(one, HeldLease))).token == 1


def test_a_stale_one_is_taken_over_and_its_holder_hears_it(lease: SiteLease, sandbox: Sandbox) -> None:
    dead = lease.take(replace(HOLDER, valid_seconds=1))
    heir = SiteLease(bucket(sandbox), "clickview")

    def taken() -> HeldLease | None:
        try:
            return heir.take(replace(HOLDER, machine="ops2"))
        except Busy:
            return None

    held = until(taken, what="the lease to grow stale")
    assert held.token == dead.token + 1
    with pytest.raises(Busy, match=r"somebody took this recovery's lease over: run .* on ops2"):
        lease.renew(dead)
    lease.release(dead)  # of what is not ours any more nothing is taken away
    assert heir.renew(held).token == held.token


def test_a_live_one_is_taken_over_only_when_that_is_said(lease: SiteLease, sandbox: Sandbox) -> None:
    held = lease.take(HOLDER)
    heir = SiteLease(bucket(sandbox), "clickview").take(replace(HOLDER, machine="ops2"), take_over=True)
    assert heir.token == held.token + 1
    with pytest.raises(Busy):
        lease.renew(held)


def test_what_is_none_of_ours_is_left_alone(lease: SiteLease, sandbox: Sandbox) -> None:
    bucket(sandbox).keep("clickview.lease", b"somebody's notes")
    with pytest.raises(GateRefused, match=r"the object clickview\.lease in the evidence bucket is no lease of ours"):
        lease.take(HOLDER)
    assert bucket(sandbox).read("clickview.lease") == b"somebody's notes"
    assert lease.take(HOLDER, take_over=True).token == 1


def test_who_looked_while_it_was_stale_does_not_overtake_who_renewed_it(lease: SiteLease, sandbox: Sandbox) -> None:
    held = lease.take(HOLDER)
    seen = bucket(sandbox).look("clickview.lease")
    renewed = lease.renew(held)
    assert seen is not None and renewed.version != seen.version
    assert bucket(sandbox).swap("clickview.lease", b"{}", seen.version) is None
    lease.release(renewed)
