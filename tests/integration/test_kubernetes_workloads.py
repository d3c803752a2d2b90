"""What the product reads of a cluster and changes in it, with exactly the rights of role.yaml."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.notes import PREFIX
from recovery.adapters.kubernetes.resources import AUTOSCALERS, BUDGETS, DEPLOYMENTS, EVENTS, NAMESPACES, PODS
from recovery.adapters.kubernetes.workloads import KubernetesWorkloads
from recovery.errors import GateRefused, SettingsInvalid
from recovery.facts import AutoscalerFacts, BudgetFacts, DeploymentFacts
from recovery.redaction import MASK, redact, remember_secret
from sandbox.cluster.places import METRICS
from tests.fix_workloads import GOOD_IMAGE, LABELS, NAME, NO_IMAGE, OTHER_IMAGE, ClusterAlone, strange_text
from tests.waiting import until


def autoscaler(alone: ClusterAlone, least: int, most: int, target: str = NAME) -> None:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}
    limits = {"minReplicas": least, "maxReplicas": most}
    alone.admin.create(AUTOSCALERS, {"metadata": {"name": f"{target}-hpa"}, "spec": spec | limits})


def budget(alone: ClusterAlone, name: str, **selector: Any) -> None:
    alone.admin.create(BUDGETS, {"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": selector}})


def annotations(alone: ClusterAlone) -> dict[str, str]:
    found: dict[str, str] = alone.admin.get(DEPLOYMENTS, NAME)["metadata"].get("annotations") or {}
    return {name: value for name, value in found.items() if name.startswith(PREFIX)}


def limits(alone: ClusterAlone) -> tuple[int, int]:
    found = alone.workloads().read_deployment(NAME).autoscaler
    assert found
    return found.minimum, found.maximum


def bare_pod(alone: ClusterAlone, name: str) -> None:
    container = {"name": "c", "image": GOOD_IMAGE, "command": ["sleep", "infinity"]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    alone.admin.create(PODS, {"metadata": {"name": name, "labels": LABELS}, "spec": spec})


# Reading -------------------------------------------------------------------------------------------


def test_a_deployment_with_all_that_belongs_to_it(alone: ClusterAlone) -> None:
    alone.make()
    alone.make("clickview-other", labels={"app": "clickview", "component": "other"})
    autoscaler(alone, 2, 6)
    autoscaler(alone, 1, 3, "clickview-other")
    budget(alone, "by-component", matchExpressions=[{"key": "component", "operator": "In", "values": ["worker", "x"]}])
    budget(alone, "others", matchLabels={"component": "other"})
    bare_pod(alone, "stranger")
    alone.rolled_out()
    until(lambda: alone.workloads().read_deployment(NAME).budgets[0].healthy == 3)
    facts = alone.workloads().read_deployment(NAME)
    assert (facts.name, facts.namespace, facts.selector) == (NAME, "clickview", "app=clickview,component=worker")
    assert (facts.wanted, facts.updated, facts.ready, facts.available) == (2, 2, 2, 2)
    assert facts.settled and facts.rolled_out and not facts.paused and facts.images == (GOOD_IMAGE,)
    assert facts.revision and facts.revisions == (facts.revision,)
    assert (facts.revision.number, facts.revision.images, facts.revision.ready) == (1, (GOOD_IMAGE,), 2)
    assert [one.revision for one in facts.pods] == [facts.revision.name] * 2  # the stranger's labels are ours, too
    assert facts.pods == facts.current_pods and all(one.ready and one.node for one in facts.pods)
    assert facts.autoscaler == AutoscalerFacts(f"{NAME}-hpa", 2, 6, 2, 2)
    assert facts.budgets == (BudgetFacts("by-component", 2, 1, 3),)
    assert facts.unseen == () and facts.scaled_from is None


def test_without_autoscaler_and_budget_there_is_none_and_without_the_right_nobody_knows(alone: ClusterAlone) -> None:
    alone.make()
    facts = alone.workloads().read_deployment(NAME)
    assert (facts.autoscaler, facts.budgets, facts.unseen) == (None, (), ())
    with alone.without_right("horizontalpodautoscalers"), alone.without_right("poddisruptionbudgets"):
        facts = alone.workloads().read_deployment(NAME)
        assert (facts.autoscaler, facts.budgets) == (None, ())
        assert [one.partition(": we may not list ")[::2] for one in facts.unseen] == [
            ("autoscalers", facts.unseen[0].partition("list ")[2]),
            ("disruption budgets", facts.unseen[1].partition("list ")[2]),
        ]
        # What may stand in the way and could not be seen must not be passed over.
        with pytest.raises(SettingsInvalid, match="we may not list horizontalpodautoscalers"):
            alone.workloads().scale(NAME, 5)
    assert annotations(alone) == {}


def test_names_that_are_not_there_and_what_there_is_instead(alone: ClusterAlone) -> None:
    alone.make()
    with pytest.raises(SettingsInvalid) as unknown:
        alone.workloads().read_deployment("clickview-api")
    assert unknown.value.problem == (f"namespace clickview has no deployment clickview-api; its deployments: {NAME}")
    with pytest.raises(SettingsInvalid) as elsewhere:
        alone.workloads(namespace="clickvew").read_deployment(NAME)
    assert elsewhere.value.problem.startswith(f"we may not get deployments/{NAME} in namespace clickvew: ")
    admin = KubernetesWorkloads(alone.settings("admin", namespace="clickvew"), lambda *_: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(SettingsInvalid) as missing:
        admin.read_deployment(NAME)
    assert missing.value.problem.endswith(" has no namespace clickvew")


def test_a_weak_secret_does_not_make_a_riddle_of_its_names(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    remember_secret("worker")
    facts = alone.rolled_out()
    assert redact(f"pod {facts.pods[0].name} of worker") == f"pod {facts.pods[0].name} of {MASK}"


def test_its_events_and_nobody_else_s(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.make("other-worker", labels={"app": "clickview", "component": "two"})
    facts = alone.rolled_out()
    gone = facts.pods[0].name
    alone.admin.delete(PODS, gone)
    alone.rolled_out("other-worker")
    facts = alone.rolled_out()
    subject = {"kind": "Deployment", "name": NAME, "namespace": "clickview", "uid": "u"}
    series = {"count": 7, "lastObservedTime": "2026-01-15T10:30:00.123456Z"}
    said = {"type": "Warning", "reason": "Odd", "message": strange_text(), "series": series, "involvedObject": subject}
    alone.admin.create(EVENTS, {"metadata": {"name": "odd.1"}} | said)
    events = alone.workloads().read_events(facts)
    assert (events[0].reason, events[0].count, events[0].warning) == ("Odd", 7, True)
    assert events[0].at.isoformat() == "2026-01-15T10:30:00.123456+00:00"
    assert events[0].message.isprintable() and len(events[0].message) <= 1001 and events[0].message.endswith("x…")
    assert events[-1].at >= events[1].at
    about = {one.about for one in events}
    assert {f"deployment/{NAME}", f"pod/{gone}", f"pod/{facts.pods[0].name}"} <= about
    assert not [one for one in about if "other-worker" in one]
    alone.admin.delete(EVENTS, "odd.1")


def test_usage_with_limits_and_none_without_a_metrics_api(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.change_container(resources={"limits": {"cpu": "500m", "memory": "1Gi"}})
    facts = alone.rolled_out()
    [pod] = facts.current_pods  # the one before it may still be going
    used = until(lambda: [one for one in alone.workloads().read_usage(facts) or () if one.pod == pod.name])
    assert used[0].cpu_millicores >= 1 and used[0].memory_bytes > 100_000
    assert (used[0].cpu_limit_millicores, used[0].memory_limit_bytes) == (500, 1024**3)
    alone.admin.patch(NAMESPACES, "clickview", {"metadata": {"annotations": {METRICS: "absent"}}})
    try:
        assert alone.workloads().read_usage(facts) is None
    finally:
        alone.admin.patch(NAMESPACES, "clickview", {"metadata": {"annotations": {METRICS: None}}})
    with alone.without_right("pods/log"), pytest.raises(SettingsInvalid, match=r"get pods/.*/log"):
        alone.workloads().read_log(pod.name, lines=1)


def test_logs_of_now_and_of_before(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.change_container(command=["sh", "-c", "printf 'one\\ntwo\\n\\377three\\n'; exit 3"])
    workloads = alone.workloads()
    pod = until(
        lambda: next((p for p in workloads.read_deployment(NAME).current_pods if p.containers[0].restarts), None)
    )
    assert workloads.read_log(pod.name, lines=2, previous=True) == "two\n\ufffdthree\n"
    assert pod.containers[0].last_exit_code == 3
    alone.change_container(image=NO_IMAGE)
    waiting = until(lambda: [p for p in workloads.read_deployment(NAME).current_pods if p.containers[0].reason])[0]
    assert workloads.read_log(waiting.name, lines=5).startswith("(no log: ")
    assert "is waiting to start" in workloads.read_log(waiting.name, lines=5)
    assert "not found" in workloads.read_log(waiting.name, lines=5, previous=True)
    assert workloads.read_log("gone-1", lines=5) == "(no log: pod gone-1 is gone)\n"


def test_its_specification_with_names_and_without_secrets(alone: ClusterAlone) -> None:
    alone.make()
    env = [{"name": "PASSWORD", "value": "hunter2!"}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]
    probe = {
        "httpGet": {"path": "/", "port": 1, "httpHeaders": [{"name": "Authorization", "value": "Bearer hunter2!"}]}
    }
    alone.change_container(env=env, livenessProbe=probe, args=["--password=hunter2!"])
    kept = "kubectl.kubernetes.io/last-applied-configuration"
    alone.admin.patch(DEPLOYMENTS, NAME, {"metadata": {"annotations": {kept: "hunter2!", "team": "web"}}})
    text = alone.workloads().read_specification(NAME)
    container = json.loads(text)["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "PASSWORD", "value": MASK}, env[1]]
    assert container["livenessProbe"]["httpGet"]["httpHeaders"] == [{"name": "Authorization", "value": MASK}]
    assert json.loads(text)["metadata"]["annotations"]["team"] == "web"
    assert "hunter2!" not in text


# Rights --------------------------------------------------------------------------------------------


def test_the_shipped_role_is_enough_and_what_is_taken_away_is_named(alone: ClusterAlone) -> None:
    assert alone.workloads().missing_rights(NAME) == ()
    with alone.without_right("deployments"), alone.without_right("pods/log"), alone.without_right("deployments/scale"):
        assert alone.workloads().missing_rights(NAME) == (
            f"get deployments/{NAME}",
            "list deployments",
            f"patch deployments/{NAME}",
            f"patch deployments/{NAME}/scale",
            "get pods/log",
        )


# Changing ------------------------------------------------------------------------------------------


def test_failed_pods_go_and_nobody_else_s(alone: ClusterAlone) -> None:
    alone.make()
    facts = alone.rolled_out()
    alone.fail_pod(facts.pods[0].name)
    bare_pod(alone, "migration")  # its labels are the deployment's: somebody's job
    alone.fail_pod("migration")
    workloads = alone.workloads()
    until(lambda: len(workloads.read_deployment(NAME).pods) == 3)
    assert workloads.delete_failed_pods(NAME) == (facts.pods[0].name,)
    assert workloads.delete_failed_pods(NAME) == ()
    assert facts.pods[0].name not in [one.name for one in alone.rolled_out().pods]
    assert alone.admin.get(PODS, "migration")["status"]["phase"] == "Failed"


def test_the_same_token_restarts_once(alone: ClusterAlone) -> None:
    alone.make()
    before, workloads, token = alone.rolled_out(), alone.workloads(), f"incident\t1 {strange_text()}"
    workloads.restart(NAME, token)
    first = alone.rolled_out()
    assert not {one.uid for one in before.pods} & {one.uid for one in first.pods_that_stay}
    assert first.revision and first.revision.number == 2
    workloads.restart(NAME, token)
    assert alone.rolled_out().revision == first.revision
    workloads.restart(NAME, "incident-2")
    second = alone.rolled_out()
    assert second.revision and second.revision.number == 3


def test_back_to_a_former_version_once_and_nothing_else_changes(alone: ClusterAlone) -> None:
    alone.make()
    first = alone.rolled_out().revision
    alone.change_container(image=OTHER_IMAGE)
    alone.rolled_out()
    alone.admin.patch(DEPLOYMENTS, NAME, {"spec": {"replicas": 3}, "metadata": {"annotations": {"team": "web"}}})
    workloads = alone.workloads()
    workloads.roll_back(NAME, 1)
    back = alone.rolled_out()
    assert first and back.revision and (back.revision.name, back.revision.number) == (first.name, 3)
    assert (back.images, back.wanted) == ((GOOD_IMAGE,), 3)
    assert alone.admin.get(DEPLOYMENTS, NAME)["metadata"]["annotations"]["team"] == "web"
    generation = alone.admin.get(DEPLOYMENTS, NAME)["metadata"]["generation"]
    workloads.roll_back(NAME, 1)  # it has another number now
    workloads.roll_back(NAME, 3)
    assert alone.admin.get(DEPLOYMENTS, NAME)["metadata"]["generation"] == generation
    with pytest.raises(GateRefused) as gone:
        workloads.roll_back(NAME, 9)
    assert gone.value.problem == f"deployment {NAME} has no version 9 any more; its versions: 3, 2"


@pytest.mark.parametrize("resized", [True, False], ids=["resized", "deployed"])
def test_what_is_changed_while_it_is_rolled_back(
    alone: ClusterAlone, resized: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An autoscaler's new size is no hindrance; what somebody deploys at that moment stays."""
    alone.make(replicas=1)
    alone.rolled_out()
    alone.change_container(env=[{"name": "COMMAND", "value": "a && b > ü"}])
    alone.rolled_out()
    alone.change_container(image=OTHER_IMAGE)
    patch, deployed = Cluster.patch, "busybox:9"

    def meanwhile(*words: Any, **more: Any) -> Any:
        monkeypatch.setattr(Cluster, "patch", patch)
        if resized:
            alone.admin.patch(DEPLOYMENTS, NAME, {"spec": {"replicas": 2}})
        else:
            alone.change_container(image=deployed)
        return patch(*words, **more)

    monkeypatch.setattr(Cluster, "patch", meanwhile)
    if resized:
        alone.workloads().roll_back(NAME, 2)
        facts = alone.rolled_out()
        assert (facts.images, facts.wanted) == ((GOOD_IMAGE,), 2)
        return
    with pytest.raises(GateRefused) as refused:
        alone.workloads().roll_back(NAME, 2)
    assert refused.value.problem == f"deployment {NAME} was changed while it was rolled back: somebody deploys"
    assert alone.workloads().read_deployment(NAME).images == (deployed,)


def test_a_version_that_was_restarted_is_the_same_and_has_run(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    first = alone.rolled_out()
    assert first.came_up and first.has_run
    alone.change_container(image=OTHER_IMAGE)
    before = alone.rolled_out().revision
    alone.workloads().restart(NAME, "INC-1-1")
    restarted = alone.rolled_out()
    assert [one.name for one in restarted.revisions if one.same_as_newest] == [before and before.name]
    assert [one.name for one in restarted.older] == [first.revision and first.revision.name]
    alone.change_container(image=NO_IMAGE)
    until(lambda: alone.workloads().read_deployment(NAME).settled)
    newest = alone.workloads().read_deployment(NAME)
    assert not newest.came_up and not newest.has_run


def test_a_paused_deployment_is_not_changed(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.rolled_out()
    alone.admin.patch(DEPLOYMENTS, NAME, {"spec": {"paused": True}})
    alone.change_container(image=OTHER_IMAGE)
    for change in (lambda w: w.restart(NAME, "t"), lambda w: w.roll_back(NAME, 1)):
        with pytest.raises(GateRefused) as refused:
            change(alone.workloads())
        assert refused.value.problem == f"deployment {NAME} is paused: its pods would stay as they are"


# Scaling -------------------------------------------------------------------------------------------


def scaled(alone: ClusterAlone, replicas: int) -> DeploymentFacts:
    workloads = alone.workloads()
    workloads.scale(NAME, replicas)
    facts = workloads.read_deployment(NAME)
    assert facts.wanted == replicas
    return facts


def test_scaled_and_back_without_an_autoscaler(alone: ClusterAlone) -> None:
    alone.make()
    alone.rolled_out()
    assert alone.workloads().scale_back(NAME) is None
    assert scaled(alone, 2).scaled_from is None  # it has that size
    facts = scaled(alone, 4)
    assert (facts.scaled_from, facts.scaled_autoscaler) == (2, None)
    assert scaled(alone, 3).scaled_from == 2
    assert alone.workloads().scale_back(NAME) == 2
    assert (alone.rolled_out().wanted, annotations(alone)) == (2, {})
    assert alone.workloads().scale_back(NAME) is None


def test_an_autoscaler_keeps_the_size_as_long_as_it_is_noted(alone: ClusterAlone) -> None:
    alone.make()
    autoscaler(alone, 2, 6)
    facts = scaled(alone, 5)
    assert (facts.scaled_from, facts.scaled_autoscaler, limits(alone)) == (2, (2, 6), (5, 6))
    assert alone.workloads().scale_back(NAME) == 2
    assert limits(alone) == (2, 6)


def test_limits_that_are_in_the_way_are_moved_and_put_back(alone: ClusterAlone) -> None:
    alone.make()
    autoscaler(alone, 2, 3)
    facts = scaled(alone, 5)
    assert (facts.scaled_from, facts.scaled_autoscaler, limits(alone)) == (2, (2, 3), (5, 5))
    facts = scaled(alone, 1)
    assert (facts.scaled_from, facts.scaled_autoscaler, limits(alone)) == (2, (2, 3), (1, 5))
    scaled(alone, 0)  # an autoscaler rests then
    until(lambda: not alone.workloads().read_deployment(NAME).pods_that_stay)
    assert limits(alone) == (1, 5)
    assert alone.workloads().scale_back(NAME) == 2
    assert (alone.rolled_out().wanted, limits(alone), annotations(alone)) == (2, (2, 3), {})


def test_cut_off_in_the_middle_it_can_still_be_put_back(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    autoscaler(alone, 1, 3)
    notes = {f"{PREFIX}/scaled-from": "1", f"{PREFIX}/scaled-autoscaler": "1..3"}
    for done in ("the note", "the limits", "the size"):
        alone.admin.patch(DEPLOYMENTS, NAME, {"metadata": {"annotations": notes}})
        if done != "the note":
            alone.admin.patch(AUTOSCALERS, f"{NAME}-hpa", {"spec": {"maxReplicas": 5}})
        if done == "the size":
            alone.admin.patch(DEPLOYMENTS, NAME, {"spec": {"replicas": 5}})
        assert alone.workloads().scale_back(NAME) == 1, done
        facts = alone.workloads().read_deployment(NAME)
        assert (facts.wanted, limits(alone), annotations(alone)) == (1, (1, 3), {}), done


def test_a_size_that_somebody_made_since_is_what_is_put_back(alone: ClusterAlone) -> None:
    alone.make()
    assert scaled(alone, 3).scaled_from == 2
    alone.admin.patch(DEPLOYMENTS, NAME, {"spec": {"replicas": 4}})
    assert scaled(alone, 5).scaled_from == 4
    # Killed between the note and the deed, and run again: what was made by us before is not somebody's.
    alone.admin.patch(DEPLOYMENTS, NAME, {"metadata": {"annotations": {f"{PREFIX}/scaled-from": "2->5->6"}}})
    assert scaled(alone, 6).scaled_from == 2
    assert alone.workloads().scale_back(NAME) == 2


def test_a_note_that_somebody_spoiled_is_none(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    for note in ("", "many", "-1", "٣", "99999999999999999999"):
        alone.admin.patch(DEPLOYMENTS, NAME, {"metadata": {"annotations": {f"{PREFIX}/scaled-from": note}}})
        assert alone.workloads().read_deployment(NAME).scaled_from is None
        assert alone.workloads().scale_back(NAME) is None
