"""The cause is told apart: what is most fundamental explains the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from checks.application_cause import Cause, diagnose, first_trace, is_of_its_version
from recovery.facts import ApplicationFacts, HealthFacts, PodFacts, PodUsage, WorkloadEvent
from tests.unit.application_cases import NOW, OLD, container, deployment, facts, pod, revision, waiting


def test_a_green_application_has_no_cause() -> None:
    found = diagnose(facts())
    assert (found.cause, found.detail) == (Cause.NOTHING, "the health check is green (0.1 s), every pod is ready")


@pytest.mark.parametrize(
    ("reason", "more", "cause"),
    [
        ("ErrImagePull", {}, Cause.IMAGE),
        ("ImagePullBackOff", {"message": "no such image"}, Cause.IMAGE),
        ("CreateContainerConfigError", {"message": "secret not found"}, Cause.CONFIGURATION),
        ("CrashLoopBackOff", {"last_exit_code": 1, "last_reason": "Error", "restarts": 4}, Cause.CRASH),
        ("CreateContainerError", {"message": "no such file"}, Cause.CRASH),
        ("CrashLoopBackOff", {"last_exit_code": 137, "last_reason": "OOMKilled", "restarts": 4}, Cause.MEMORY),
    ],
)
def test_a_new_version_that_does_not_come_up_is_named_with_the_one_before(
    reason: str, more: dict[str, object], cause: Cause
) -> None:
    bad = pod(9, ready=False, inside=waiting(reason, **more))
    found = diagnose(facts(pod(1, OLD), pod(2, OLD), pod(3, OLD), bad))
    assert (found.cause, found.pods, found.good_revision) == (cause, (bad.name,), 1)


def test_a_version_that_has_run_is_not_undone_for_one_crash() -> None:
    crashed = pod(9, ready=False, inside=waiting("CrashLoopBackOff", last_exit_code=1, restarts=2))
    found = diagnose(facts(pod(1), pod(2), crashed))
    assert (found.cause, found.good_revision) == (Cause.CRASH, None)


def test_a_database_that_is_down_explains_pods_that_crash() -> None:
    crashed = pod(1, ready=False, inside=waiting("CrashLoopBackOff", last_exit_code=1, restarts=9))
    seen = facts(crashed, status=503, behind={"database": "10.0.0.1:5432 does not answer", "redis": None})
    assert diagnose(seen).cause is Cause.DATABASE


def test_a_path_that_is_cut_is_told_by_the_application_alone() -> None:
    ill = [pod(number, ready=False) for number in (1, 2, 3)]
    log = "2026-01-15T10:29:30.5+00:00 error health: database: down: OperationalError"
    found = diagnose(facts(*ill, status=503, logs={ill[0].name: log}))
    assert found.cause is Cause.DATABASE_PATH
    assert log in found.detail


@pytest.mark.parametrize(
    "written", ["2026-01-15T09:10:00.5+00:00", "[2026-01-15 09:10:00,123]", "2026-01-15T09:10:00Z"]
)
def test_what_a_log_said_an_hour_ago_is_another_trouble(written: str) -> None:
    ill = [pod(number, ready=False) for number in (1, 2, 3)]
    log = {one.name: f"{written} error health: database: down: OperationalError" for one in ill}
    assert diagnose(facts(*ill, status=503, logs=log)).cause is Cause.HUNG


def test_the_last_complaint_of_a_log_counts() -> None:
    ill = [pod(number, ready=False) for number in (1, 2, 3)]
    log = {ill[0].name: "error health: database: down\nerror health: redis: down: ConnectionError"}
    assert diagnose(facts(*ill, status=503, logs=log)).cause is Cause.CACHE_PATH
    seen = facts(*ill, status=503, logs=log, behind={"database": None, "redis": "refused"})
    assert diagnose(seen).cause is Cause.CACHE


def test_what_a_pod_that_has_failed_said_is_not_asked() -> None:
    lost = [pod(number, ready=False, phase="Failed", reason="Evicted") for number in (1, 2, 3)]
    log = {one.name: "error health: database: down: OperationalError" for one in lost}
    assert diagnose(facts(*lost, status=503, logs=log)).cause is Cause.FAILED_PODS


def test_what_could_not_be_looked_at_is_no_proof_that_it_answers_nor_a_reason_to_restart() -> None:
    ill = [pod(number, ready=False) for number in (1, 2, 3)]
    log = {ill[0].name: "redis: connection refused"}
    found = diagnose(facts(*ill, status=503, logs=log, behind={}))
    assert found.cause is Cause.CACHE_TOLD
    assert found.detail.endswith("says “redis: connection refused”; from here the redis could not be looked at")
    told = HealthFacts(503, 0.1, {"database": "fail"}, looks=3, red_looks=3)
    assert diagnose(facts(*ill, health=told, behind={"redis": None})).cause is Cause.DATABASE_TOLD
    frontend = facts(*ill, status=503, logs=log, behind={}, needs_what_is_behind=False)
    assert diagnose(frontend).cause is Cause.HUNG
    assert diagnose(facts(*ill, status=503, logs=log, behind={"redis": None})).cause is Cause.CACHE_PATH


def test_its_own_health_check_names_the_part() -> None:
    health = HealthFacts(503, 0.1, {"database": "pass", "redis": "fail"})
    seen = facts(behind={"database": None, "redis": "refused"}, health=health)
    assert diagnose(seen).cause is Cause.CACHE


def test_a_slow_answer_of_what_is_behind_is_no_fault_while_users_are_served() -> None:
    assert diagnose(facts(behind={"database": "no answer in 3 s", "redis": None})).cause is Cause.NOTHING


def test_somebody_scaled_it_to_none() -> None:
    seen = facts(status=503, deployment=deployment(wanted=0))
    assert diagnose(seen).cause is Cause.STOPPED


def test_pods_without_a_node_and_pods_beyond_the_quota() -> None:
    homeless = pod(3, ready=False, phase="Pending", unschedulable="0/2 nodes are available", inside=waiting(""))
    assert diagnose(facts(pod(1), pod(2), homeless)).cause is Cause.NODE
    short = deployment(pod(1), pod(2), revision=revision(ready=2, message="exceeded quota: pods"))
    assert diagnose(facts(deployment=short)).cause is Cause.QUOTA


def test_failed_pods_are_counted() -> None:
    lost = pod(4, ready=False, phase="Failed", reason="Evicted", message="low on memory")
    found = diagnose(facts(pod(1), pod(2), pod(3), lost))
    assert (found.cause, found.detail) == (Cause.FAILED_PODS, "1 pods have failed (Evicted: low on memory)")


def test_young_pods_are_a_rollout_and_old_ones_hang() -> None:
    young = pod(3, ready=False)
    young = replace(young, created_at=NOW - timedelta(seconds=5))
    assert diagnose(facts(pod(1), pod(2), young)).cause is Cause.ROLLOUT
    just_ended = container(ready=False, restarts=1, last_ended_at=NOW - timedelta(seconds=3))
    assert diagnose(facts(pod(1), pod(2), pod(3, ready=False, inside=just_ended))).cause is Cause.ROLLOUT
    backing_off = waiting("CrashLoopBackOff", last_exit_code=1, restarts=1)
    assert diagnose(facts(pod(1), pod(2), pod(3, ready=False, inside=backing_off))).cause is Cause.ROLLOUT
    found = diagnose(facts(pod(1), pod(2), pod(3, ready=False)))
    assert (found.cause, found.detail) == (Cause.HUNG, "1 of 3 pods run and are not ready")


def test_ready_pods_behind_a_gateway_error_hang() -> None:
    assert diagnose(facts(status=502)).cause is Cause.HUNG


def test_one_red_look_of_three_is_no_outage() -> None:
    seen = facts(status=502)
    seen = replace(seen, health=replace(seen.health, red_looks=1))
    assert not seen.health.down
    assert diagnose(seen).cause is Cause.UNKNOWN


def test_that_nothing_answers_from_here_is_no_word_on_pods_that_are_ready() -> None:
    assert diagnose(facts(status=0)).cause is Cause.PATH


def test_pods_that_failed_long_ago_hide_no_overload() -> None:
    usage = tuple(PodUsage(f"p{number}", 990, 1, cpu_limit_millicores=1000) for number in range(3))
    lost = pod(4, ready=False, phase="Failed", reason="Evicted")
    assert diagnose(facts(pod(1), pod(2), pod(3), lost, status=503, usage=usage)).cause is Cause.OVERLOAD


def test_pods_that_have_too_much_to_do_fail_their_probes_and_are_not_hung() -> None:
    ill = [pod(number, ready=False) for number in (1, 2, 3)]
    late = [probe_failed(one) for one in ill]
    busy = tuple(PodUsage(one.name, 990, 1, cpu_limit_millicores=1000) for one in ill)
    found = diagnose(facts(*ill, status=503, usage=busy, events=tuple(late)))
    assert found.cause is Cause.OVERLOAD
    assert found.detail.startswith("0 pods are ready, 3 of 3 pods use all of their CPU, and ")
    idle = tuple(replace(one, cpu_millicores=3) for one in busy)
    assert diagnose(facts(*ill, status=503, usage=idle, events=tuple(late))).cause is Cause.HUNG
    assert diagnose(facts(*ill, status=503, usage=None, events=tuple(late))).cause is Cause.HUNG


def test_what_starts_slowly_fails_its_first_probes_too() -> None:
    young = [replace(pod(number, ready=False), created_at=NOW - timedelta(seconds=25)) for number in (1, 2, 3)]
    events = tuple(probe_failed(one) for one in young)
    assert diagnose(facts(*young, status=503, events=events)).cause is Cause.ROLLOUT


def test_pods_that_their_liveness_probe_kills_again_and_again_are_hung() -> None:
    inside = waiting("CrashLoopBackOff", last_exit_code=137, last_reason="Error", restarts=3)
    killed = [pod(number, ready=False, inside=inside) for number in (1, 2, 3)]
    why = [
        WorkloadEvent(NOW, True, "Unhealthy", f"pod/{one.name}", "Liveness probe failed: timeout", 9) for one in killed
    ]
    assert diagnose(facts(*killed, status=503, events=tuple(why))).cause is Cause.HUNG


def test_a_new_version_that_hangs_is_rolled_back_however_busy_the_old_pods_are() -> None:
    new = pod(9, ready=False)
    old = [pod(number, OLD) for number in (1, 2)]
    busy = tuple(PodUsage(one.name, 990, 1, cpu_limit_millicores=1000) for one in (*old, new))
    found = diagnose(facts(*old, new, status=503, usage=busy, events=(probe_failed(new),)))
    assert (found.cause, found.good_revision) == (Cause.HUNG, 1)


def test_a_restart_makes_no_new_version_of_one_that_has_run() -> None:
    crashed = [pod(n, ready=False, inside=waiting("CrashLoopBackOff", last_exit_code=1, restarts=9)) for n in (1, 2, 3)]
    newest, same = revision(ready=0), revision("twin", 1, 0, wanted=0, same_as_newest=True)
    oldest = revision(OLD, 0, 0, wanted=0)
    seen = facts(status=503, deployment=deployment(*crashed, revision=newest, revisions=(newest, same, oldest)))
    assert (diagnose(seen).cause, diagnose(seen).good_revision) == (Cause.CRASH, None)
    assert not is_of_its_version(seen.deployment, diagnose(seen))
    kept = revision(OLD, 0, 3, wanted=3)
    seen = facts(status=503, deployment=deployment(*crashed, revision=newest, revisions=(newest, same, kept)))
    assert diagnose(seen).good_revision == 0


def test_a_version_that_came_up_once_is_not_undone_when_it_crashes() -> None:
    crashed = [pod(n, ready=False, inside=waiting("CrashLoopBackOff", last_exit_code=1, restarts=9)) for n in (1, 2, 3)]
    assert diagnose(facts(*crashed, status=503)).good_revision == 1
    seen = facts(status=503, deployment=deployment(*crashed, came_up=True))
    assert (diagnose(seen).cause, diagnose(seen).good_revision) == (Cause.CRASH, None)
    gone = [pod(n, ready=False, inside=waiting("ImagePullBackOff", message="gone")) for n in (1, 2, 3)]
    assert diagnose(facts(status=503, deployment=deployment(*gone, came_up=True))).good_revision == 1


def probe_failed(ill: PodFacts) -> WorkloadEvent:
    message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    return WorkloadEvent(NOW, True, "Unhealthy", f"pod/{ill.name}", message, 9)


def test_a_moment_that_cannot_be_is_none() -> None:
    ill = [pod(number, ready=False) for number in (1, 2, 3)]
    log = {ill[0].name: "2026-02-30 10:00:00 database: connection refused"}
    assert diagnose(facts(*ill, status=503, logs=log)).cause is Cause.DATABASE_PATH


def test_a_slow_application_with_busy_pods_needs_more_of_them() -> None:
    usage = tuple(PodUsage(f"p{number}", 990, 1, cpu_limit_millicores=1000) for number in range(3))
    assert diagnose(facts(seconds=5.0, usage=usage)).cause is Cause.OVERLOAD
    idle = tuple(replace(one, cpu_millicores=10) for one in usage)
    assert diagnose(facts(seconds=5.0, usage=idle)).cause is Cause.UNKNOWN
    assert diagnose(facts(status=503, usage=idle)).cause is Cause.UNKNOWN


def test_when_it_began_stands_in_the_pods() -> None:
    ended = NOW - timedelta(minutes=7)
    inside = waiting("CrashLoopBackOff", last_exit_code=1, restarts=2, last_ended_at=ended)
    seen: ApplicationFacts = facts(pod(1), pod(2), pod(9, ready=False, inside=inside))
    assert first_trace(seen, diagnose(seen)) == ended
    assert first_trace(facts(), diagnose(facts())) is None


def test_a_container_that_is_ready_has_no_trouble_whatever_it_was() -> None:
    seen = facts(pod(1, inside=container(last_reason="OOMKilled", restarts=3)), pod(2), pod(3))
    assert diagnose(seen).cause is Cause.NOTHING
