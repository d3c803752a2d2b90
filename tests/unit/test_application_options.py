"""Which way is taken for which cause, what a person has to say yes to, and why the other ways are not taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from checks.application_cause import Cause, diagnose
from checks.application_options import Wanted, application_plan, closed_way, handed_to, no_way
from recovery.facts import ApplicationFacts, AutoscalerFacts, Plan, PodUsage
from recovery.settings.approval import PolicySettings
from tests.unit.application_cases import NOW, OLD, deployment, facts, pod, revision, waiting

BAD_IMAGE = waiting("ImagePullBackOff", message="no such image")


def planned(
    seen: ApplicationFacts, *, option: str = "best", bad: frozenset[str] = frozenset(), **policies: object
) -> Plan:
    wanted = Wanted("clickview", "INC-1", "SEV-2", 5, option, bad)
    return application_plan(seen, diagnose(seen), wanted, PolicySettings.model_validate(policies), {})


def rejected(plan: Plan) -> dict[str, str]:
    return {one.name: one.rejected for one in plan.options if one.rejected}


def new_version_that_has_no_image() -> ApplicationFacts:
    return facts(pod(1, OLD), pod(2, OLD), pod(3, OLD), pod(9, ready=False, inside=BAD_IMAGE))


def test_a_bad_version_is_rolled_back_and_a_person_says_yes() -> None:
    plan = planned(new_version_that_has_no_image())
    assert [one.name for one in plan.chosen] == ["roll-back"]
    (step,) = plan.to_approve
    assert (step.name, step.what, step.value) == ("roll_back", "run version 1 (clickview/backend:2.1.0) again", 1)
    assert rejected(plan) == {
        "wait": "no rollout is under way",
        "delete-failed-pods": "no pod has failed",
        "restart": "a new pod would not start either",
        "scale-up": "more pods do not cure this: image",
    }


def test_no_way_leads_back_to_a_version_that_was_found_bad() -> None:
    """Version 3 was rolled back to 2, and 2 is as bad: the next is 1, or nobody knows one."""
    newest, bad, good = revision("new", 4), revision("bad", 3, 0, wanted=0), revision(OLD, 1, 0, wanted=0)
    ill = [pod(number, "new", ready=False, inside=BAD_IMAGE) for number in (1, 2, 3)]
    seen = facts(deployment=deployment(*ill, revision=newest, revisions=(newest, bad, good)))
    assert planned(seen).to_approve[0].value == 3
    assert planned(seen, bad=frozenset({"bad", "new"})).to_approve[0].value == 1
    none = planned(seen, bad=frozenset({"bad", "new", OLD}))
    assert none.chosen == ()
    assert rejected(none)["roll-back"].endswith("; found bad before: 3, 1, or none is before it")


def test_the_policy_may_depend_on_the_severity() -> None:
    plan = planned(new_version_that_has_no_image(), roll_back={"default": "approve", "SEV-2": "auto"})
    assert plan.to_approve == ()
    plan = planned(new_version_that_has_no_image(), roll_back={"SEV-1": "auto"})
    assert [one.name for one in plan.to_approve] == ["roll_back"]


def test_what_the_policy_forbids_is_no_way() -> None:
    seen = new_version_that_has_no_image()
    plan = planned(seen, roll_back="never")
    assert rejected(plan)["roll-back"] == "[approval.policy] roll_back = never"
    refusal = no_way(plan, diagnose(seen), seen.deployment)
    assert refusal is not None
    assert refusal.problem.startswith("image: pod clickview-backend-2-9, container backend: image clickview/backend")
    assert refusal.next_step == (
        "put an image there that exists: kubectl -n clickview set image deployment/clickview-backend …; "
        "Roll back to the former version: [approval.policy] roll_back = never"
    )


def test_failed_pods_are_deleted_first_and_a_restart_is_the_second_try() -> None:
    plan = planned(facts(pod(1), pod(2), pod(3), pod(4, ready=False, phase="Failed")))
    assert [one.name for one in plan.chosen] == ["delete-failed-pods", "restart"]
    assert plan.chosen[0].actions[0].irreversible
    assert plan.to_approve == ()


def test_more_pods_and_the_autoscaler_in_the_way() -> None:
    scaled = AutoscalerFacts("clickview-backend-hpa", 3, 4, 3, 3)
    usage = tuple(PodUsage(f"p{number}", 990, 1, cpu_limit_millicores=1000) for number in range(3))
    seen = facts(status=503, usage=usage, deployment=deployment(pod(1), pod(2), pod(3), autoscaler=scaled))
    plan = planned(seen)
    assert (
        plan.chosen[0].actions[0].what == "run 5 pods instead of 3, and have clickview-backend-hpa (3 to 4) keep that"
    )


def test_a_person_may_choose_another_way() -> None:
    plan = planned(facts(pod(1), pod(2), pod(3, ready=False)), option="scale-up")
    assert [one.name for one in plan.chosen] == ["scale-up"]
    assert closed_way(plan, "scale-up") is None
    assert closed_way(planned(facts(), option="roll-back"), "roll-back") is None, "a version can be bad and come up"
    first = deployment(pod(1), pod(2), pod(3), revisions=(revision(),))
    refusal = closed_way(planned(facts(deployment=first), option="roll-back"), "roll-back")
    assert refusal is not None
    assert refusal.problem == "roll-back: the newest version (2) has run, or none is before it"


def test_what_is_not_understood_is_asked_first() -> None:
    plan = planned(facts(status=503))
    assert [one.name for one in plan.chosen] == ["restart", "scale-up"]
    assert [one.name for one in plan.to_approve] == ["restart_application", "scale_up"]


def test_what_the_cluster_does_not_let_us_do_is_no_way() -> None:
    seen = replace(new_version_that_has_no_image(), not_permitted=("patch deployments/clickview-backend",))
    assert rejected(planned(seen))["roll-back"] == (
        "we may not patch deployments/clickview-backend: kubectl apply -f deployments/kubernetes/"
    )


@pytest.mark.parametrize(
    ("behind", "cause", "other"),
    [
        ({"database": "does not answer", "redis": None}, Cause.DATABASE, "database-failure"),
        ({"database": None, "redis": "refused"}, Cause.CACHE, "cache-failure"),
    ],
)
def test_what_is_behind_it_is_handed_over(behind: dict[str, str | None], cause: Cause, other: str) -> None:
    seen = facts(pod(1, ready=False), pod(2, ready=False), pod(3, ready=False), status=503, behind=behind)
    plan = planned(seen)
    assert plan.chosen == () and handed_to(diagnose(seen).cause) == other
    assert rejected(plan)["restart"] == "does not cure what stands behind the application"
    refusal = no_way(plan, diagnose(seen), seen.deployment)
    assert refusal is not None and refusal.problem.startswith(str(cause))


@pytest.mark.parametrize(
    ("seen", "command"),
    [
        (facts(status=503, deployment=deployment(wanted=0)), "kubectl -n clickview scale deployment/clickview-backend"),
        (facts(deployment=deployment(pod(1), revision=revision(ready=1, message="exceeded quota"))), "resourcequota"),
        (facts(pod(1), pod(2), pod(3, ready=False, unschedulable="no node", inside=waiting(""))), "kubectl get nodes"),
    ],
)
def test_what_we_cannot_cure_is_told_with_the_command(seen: ApplicationFacts, command: str) -> None:
    refusal = no_way(planned(seen), diagnose(seen), seen.deployment)
    assert refusal is not None and command in refusal.next_step


def test_another_look_at_the_same_thing_is_the_same_plan_and_another_version_is_not() -> None:
    seen = new_version_that_has_no_image()
    again = replace(seen, seen_at=NOW + timedelta(minutes=1), health=replace(seen.health, seconds=0.7))
    assert planned(seen).digest == planned(again).digest
    other = replace(seen, deployment=replace(seen.deployment, images=("clickview/backend:evil",)))
    assert planned(seen).digest != planned(other).digest


def test_the_estimate_is_what_was_measured_here() -> None:
    seen = new_version_that_has_no_image()
    wanted = Wanted("clickview", "INC-1", "SEV-2", 5)
    plan = application_plan(seen, diagnose(seen), wanted, PolicySettings(), {"roll-back": timedelta(seconds=12)})
    assert plan.chosen[0].expected_recovery == timedelta(seconds=12)
    assert plan.chosen[0].basis == "median of this site's own recoveries"
