"""Rights, verb by verb: exactly those of the shipped Role, for the recovery system's account."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kubernetes import client

from tests.fix_cluster import Kube
from tests.waiting import until

_ROLE = Path(__file__).parents[2] / "deployments" / "kubernetes" / "role.yaml"
_RULES = yaml.safe_load(_ROLE.read_text())["rules"]
GRANTED = {
    (verb, group, resource)
    for rule in _RULES
    for verb in rule["verbs"]
    for group in rule["apiGroups"]
    for resource in rule["resources"]
}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = {(group, resource) for _, group, resource in GRANTED} | {
    *(("", name) for name in ("secrets", "configmaps", "services", "serviceaccounts", "nodes", "namespaces")),
    ("rbac.authorization.k8s.io", "roles"),
    ("networking.k8s.io", "networkpolicies"),
}


def may(kube: Kube, verb: str, group: str, resource: str, namespace: str = "clickview", name: str = "") -> bool:
    reviews = client.AuthorizationV1Api(kube.client(kube.recovery_token))
    plain, _, part = resource.partition("/")
    asked = {"verb": verb, "group": group, "resource": plain, "subresource": part, "namespace": namespace, "name": name}
    return reviews.create_self_subject_access_review({"spec": {"resourceAttributes": asked}}).status.allowed


def test_the_role_grants_these_verbs_and_no_others(kube: Kube) -> None:
    found = {
        (verb, group, resource) for group, resource in RESOURCES for verb in VERBS if may(kube, verb, group, resource)
    }
    assert found == GRANTED
    assert not any(may(kube, verb, group, resource, namespace="default") for verb, group, resource in GRANTED)


def test_what_is_granted_is_done_and_all_else_is_forbidden(kube: Kube) -> None:
    api = kube.client(kube.recovery_token)
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    assert {one.metadata.namespace for one in apps.list_namespaced_deployment("clickview").items} <= {"clickview"}
    core.list_namespaced_pod("clickview", field_selector="status.phase=Failed")
    refusals = [
        lambda: core.delete_collection_namespaced_pod("clickview", field_selector="status.phase=Failed"),
        lambda: core.list_namespaced_secret("clickview"),
        lambda: core.read_namespaced_config_map("clickview-config", "clickview"),
        lambda: core.list_node(),
        lambda: core.list_namespaced_pod("default"),
        lambda: core.list_pod_for_all_namespaces(),
        lambda: apps.delete_namespaced_deployment("clickview-backend", "clickview"),
        lambda: core.create_namespaced_config_map("clickview", {"metadata": {"name": "x"}}),
    ]
    for refusal in refusals:
        with pytest.raises(client.ApiException) as caught:
            refusal()
        assert caught.value.status == 403, caught.value.body
        assert "system:serviceaccount:clickview:clickview-recovery" in caught.value.body


def test_a_wrong_token_is_nobody(kube: Kube) -> None:
    with pytest.raises(client.ApiException) as caught:
        client.CoreV1Api(kube.client("wrong")).list_namespaced_pod("clickview")
    assert caught.value.status == 401


def test_a_rule_with_names_holds_for_those_alone(kube: Kube, namespace: str) -> None:
    rights, core = client.RbacAuthorizationV1Api(kube.client()), kube.core
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"]}
    rule["verbs"] = ["get", "list", "patch", "create"]
    rights.create_namespaced_role(namespace, {"metadata": {"name": "one"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "clickview-recovery", "namespace": "clickview"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one"}
    rights.create_namespaced_role_binding(
        namespace, {"metadata": {"name": "one"}, "subjects": [subject], "roleRef": role}
    )
    until(lambda: may(kube, "get", "", "configmaps", namespace, "one"), what="the rule holds")
    for name in ("one", "two"):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": name}})
    mine = client.CoreV1Api(kube.client(kube.recovery_token))
    assert mine.read_namespaced_config_map("one", namespace).metadata.name == "one"
    assert len(mine.list_namespaced_config_map(namespace, field_selector="metadata.name=one").items) == 1
    refusals = [
        lambda: mine.read_namespaced_config_map("two", namespace),
        lambda: mine.list_namespaced_config_map(namespace),
        lambda: mine.create_namespaced_config_map(namespace, {"metadata": {"name": "three"}}),
    ]
    for refusal in refusals:
        with pytest.raises(client.ApiException) as caught:
            refusal()
        assert caught.value.status == 403
