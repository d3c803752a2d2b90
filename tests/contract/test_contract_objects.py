"""Objects of the API: made, read, changed in every way, chosen, deleted; and what it refuses."""

from __future__ import annotations

import base64
import json

import pytest
from kubernetes import client

from tests.fix_cluster import PAUSE, Kube, deployment


def refused(status: int):
    """A context in which the API answers with this status; the Status body is looked at, too."""
    return _Refused(status)


class _Refused:
    def __init__(self, status: int) -> None:
        self._raises = pytest.raises(client.ApiException)
        self._status = status

    def __enter__(self) -> None:
        self._seen = self._raises.__enter__()

    def __exit__(self, *about) -> bool:
        done = bool(self._raises.__exit__(*about))
        body = json.loads(self._seen.value.body)
        assert (self._seen.value.status, body["kind"], body["status"]) == (self._status, "Status", "Failure"), body
        assert body["code"] == self._status
        return done


def test_an_object_is_made_read_replaced_and_deleted(kube: Kube, namespace: str) -> None:
    core = kube.core
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "one"}, "data": {"a": "1"}})
    assert made.metadata.uid and made.metadata.resource_version and made.metadata.namespace == namespace
    with refused(409):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "one"}})
    changed = core.patch_namespaced_config_map("one", namespace, {"data": {"b": "2"}})
    assert changed.data == {"a": "1", "b": "2"}
    made.data = {"a": "old"}
    with refused(409):  # of a version that is not the newest
        core.replace_namespaced_config_map("one", namespace, made)
    changed.data = {"c": "3"}
    assert core.replace_namespaced_config_map("one", namespace, changed).data == {"c": "3"}
    core.delete_namespaced_config_map("one", namespace)
    with refused(404):
        core.read_namespaced_config_map("one", namespace)
    with refused(404):
        core.delete_namespaced_config_map("one", namespace)
    with refused(404):
        core.create_namespaced_config_map("nowhere", {"metadata": {"name": "one"}})


def test_a_secret_is_patched_by_key_and_an_immutable_one_not_at_all(kube: Kube, namespace: str) -> None:
    core = kube.core
    core.create_namespaced_secret(namespace, {"metadata": {"name": "keys"}, "stringData": {"a": "1", "b": "2"}})
    core.patch_namespaced_secret("keys", namespace, {"data": {"a": base64.b64encode(b"3").decode()}})
    held = core.read_namespaced_secret("keys", namespace).data
    assert {name: base64.b64decode(value) for name, value in held.items()} == {"a": b"3", "b": b"2"}
    core.patch_namespaced_secret("keys", namespace, {"immutable": True})
    with refused(422):
        core.patch_namespaced_secret("keys", namespace, {"data": {"a": "NA=="}})


def test_the_three_kinds_of_patch(kube: Kube, namespace: str) -> None:
    apps = kube.apps
    body = deployment(
        "kinds", replicas=0, container={"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    )
    body["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": PAUSE})
    apps.create_namespaced_deployment(namespace, body)

    def patch(change):
        return apps.patch_namespaced_deployment("kinds", namespace, change).spec.template

    main = {"name": "main", "env": [{"name": "B", "value": "3"}]}
    template = patch({"spec": {"template": {"spec": {"containers": [main]}}}})  # strategic merge: by name
    assert [(one.name, one.image) for one in template.spec.containers] == [("main", PAUSE), ("side", PAUSE)]
    assert [(one.name, one.value) for one in template.spec.containers[0].env] == [("A", "1"), ("B", "3")]
    patch({"spec": {"template": {"metadata": {"annotations": {"kept": "yes"}}}}})
    template = patch(
        {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
    )
    assert template.metadata.annotations == {"kept": "yes", "kubectl.kubernetes.io/restartedAt": "now"}
    path = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
    template = patch([{"op": "test", "path": path, "value": "now"}, {"op": "remove", "path": path}])  # JSON patch
    assert template.metadata.annotations == {"kept": "yes"}
    with refused(422):
        patch([{"op": "test", "path": path, "value": "other"}])
    merge = {"spec": {"template": {"spec": {"containers": [{"name": "only", "image": PAUSE}]}}}}
    after = apps.patch_namespaced_deployment("kinds", namespace, merge, _content_type="application/merge-patch+json")
    assert [one.name for one in after.spec.template.spec.containers] == ["only"]  # a merge patch replaces lists


def test_only_a_new_specification_is_a_new_generation(kube: Kube, namespace: str) -> None:
    apps = kube.apps
    assert apps.create_namespaced_deployment(namespace, deployment("gen", replicas=0)).metadata.generation == 1
    labelled = apps.patch_namespaced_deployment("gen", namespace, {"metadata": {"labels": {"x": "y"}}})
    assert labelled.metadata.generation == 1
    sized = apps.patch_namespaced_deployment_scale("gen", namespace, {"spec": {"replicas": 1}})
    assert sized.spec.replicas == 1
    assert apps.read_namespaced_deployment("gen", namespace).metadata.generation == 2
    assert apps.read_namespaced_deployment_scale("gen", namespace).status.selector == "app=gen"


def test_labels_and_fields_choose(kube: Kube, namespace: str) -> None:
    core = kube.core
    for name, labels in (("a", {"app": "x", "tier": "1"}), ("b", {"app": "x"}), ("c", {"app": "y"})):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": name, "labels": labels}})

    def names(**chosen: str) -> list[str]:
        found = core.list_namespaced_config_map(namespace, **chosen).items
        return [one.metadata.name for one in found if one.metadata.name != "kube-root-ca.crt"]

    assert names(label_selector="app=x") == ["a", "b"]
    assert names(label_selector="app=x,!tier") == ["b"]
    assert names(label_selector="app in (y, z)") == ["c"]
    assert names(label_selector="app,app!=x") == ["c"]
    assert names(field_selector="metadata.name=a") == ["a"]
    with refused(400):
        core.list_namespaced_pod(namespace, field_selector="status.reason=Evicted")
    core.delete_collection_namespaced_config_map(namespace, label_selector="app=x")
    assert names() == ["c"]


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"replicas": -1}},
        {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
        {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}},
        {"spec": {"template": {"spec": {"containers": [{"name": "new"}]}}}},
    ],
    ids=["negative size", "another selector", "labels it does not select", "no image"],
)
def test_a_deployment_that_cannot_be_is_refused(kube: Kube, namespace: str, change) -> None:
    kube.apps.create_namespaced_deployment(namespace, deployment("odd", replicas=0))
    with refused(422):
        kube.apps.patch_namespaced_deployment("odd", namespace, change)
