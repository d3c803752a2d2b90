"""What is read of a cluster's JSON, whatever stands in it; and that the shipped Role is the list of rights, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.adapters.kubernetes.family import Family, describe, names_in, read_autoscaler, read_budget
from recovery.adapters.kubernetes.fields import plain
from recovery.adapters.kubernetes.pods import read_pod
from recovery.adapters.kubernetes.resources import DEPLOYMENTS, PODS, RIGHTS, SCALES
from recovery.adapters.kubernetes.selectors import as_text, finds
from recovery.adapters.kubernetes.usage import _quantity
from recovery.adapters.kubernetes.versions import read_revision
from recovery.errors import SettingsInvalid

ROLE = Path(__file__).parents[2] / "deployments" / "kubernetes" / "role.yaml"
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "containers", "containerStatuses", "name", "state", "conditions"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def test_the_shipped_role_grants_what_is_asked_for_and_nothing_else() -> None:
    rules = yaml.safe_load(ROLE.read_text())["rules"]
    granted = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {(one.group, one.name, verb) for one, verbs in RIGHTS.items() for verb in verbs}
    assert not [rule for rule in rules if "resourceNames" in rule]


def test_where_things_are() -> None:
    assert DEPLOYMENTS.path("ours", "", "v1") == "/apis/apps/v1/namespaces/ours/deployments"
    assert SCALES.path("ours", "backend", "v1") == "/apis/apps/v1/namespaces/ours/deployments/backend/scale"
    assert PODS.path("ours", "a.b-1", "v1") == "/api/v1/namespaces/ours/pods/a.b-1"
    for name in ("..", "a/b", "a?b", "A", "ä", "-a", "a\n", "a" * 254):
        with pytest.raises(SettingsInvalid):
            PODS.path("ours", name, "v1")


@settings(max_examples=40, deadline=None)
@given(ODD)
def test_no_json_is_too_odd_to_be_read(odd: Any) -> None:
    thing = odd if isinstance(odd, dict) else {"metadata": odd, "spec": odd, "status": odd}
    pod = read_pod(thing)
    facts = describe(Family(thing, [thing], [thing], ""), "ours", read_autoscaler(thing), (read_budget(thing),), ())
    assert facts.pods == (pod,)
    assert read_revision(thing).number == 0
    assert all(isinstance(one, str) for one in names_in(facts))


@given(st.text())
def test_strange_text_is_one_line_without_what_a_terminal_obeys(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(f"{text}\x1b[2J{'x' * 5000}").endswith("…")


SELECTOR = {
    "matchLabels": {"component": "backend", "app": "clickview"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "track", "operator": "NotIn", "values": ["canary"]},
        {"key": "app", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ],
}


def test_a_selector_as_the_api_takes_it_and_whom_it_finds() -> None:
    assert as_text(SELECTOR) == "app=clickview,component=backend,tier in (a,b),track notin (canary),app,!old"
    labels = {"app": "clickview", "component": "backend", "tier": "a"}
    assert finds(SELECTOR, labels)
    assert finds({}, labels)
    for changed in ({"tier": "c"}, {"track": "canary"}, {"old": ""}, {"app": "x"}):
        assert not finds(SELECTOR, labels | changed)


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("250m", "0.25"),
        ("128Mi", str(128 * 1024**2)),
        ("12345678n", "0.012345678"),
        ("1e3", "1000"),
        (2, "2"),
        ("", None),
        (None, None),
        ("much", None),
        ("NaN", None),
        ("-1", None),
        ("1e999999999", None),
        ([], None),
    ],
)
def test_amounts(said: object, amount: str | None) -> None:
    found = _quantity(said)
    assert (
        None if found is None else f"{found:f}".rstrip("0").rstrip(".") if "." in f"{found:f}" else f"{found:f}"
    ) == amount


POD = {
    "metadata": {
        "name": "p",
        "uid": "u",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "controller": True}],
    },
    "spec": {
        "nodeName": "n1",
        "initContainers": [{"name": "migrate", "image": "i:1"}, {"name": "done", "image": "i:2"}],
        "containers": [{"name": "backend", "image": "b:1"}, {"name": "not-told-of", "image": "b:2"}],
    },
    "status": {
        "phase": "Pending",
        "initContainerStatuses": [
            {"name": "migrate", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            {"name": "done", "ready": True, "state": {"terminated": {"exitCode": 0}}},
        ],
        "containerStatuses": [
            {
                "name": "backend",
                "ready": False,
                "restartCount": 4,
                "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "a\nb"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-15T10:30:00Z"}},
            }
        ],
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    },
}


def test_a_pod_with_containers_that_prepare_it() -> None:
    pod = read_pod(POD)
    assert (pod.name, pod.revision, pod.node, pod.unschedulable) == ("p", "rs", "n1", "Unschedulable")
    assert [(one.name, one.state, one.reason, one.restarts) for one in pod.containers] == [
        ("migrate", "waiting", "CrashLoopBackOff", 2),  # the one that has done its work is left out
        ("backend", "terminated", "OOMKilled", 4),
        ("not-told-of", "waiting", "", 0),
    ]
    backend = pod.containers[1]
    assert (backend.exit_code, backend.message, backend.last_reason, backend.last_exit_code) == (137, "a b", "Error", 1)
    assert backend.last_ended_at and backend.last_ended_at.isoformat() == "2026-01-15T10:30:00+00:00"
