"""Watches: they tell what happens, end at their time, and say 410 when they would begin too long ago."""

from __future__ import annotations

import threading

import pytest
from kubernetes import client, watch

from tests.fix_cluster import Kube


def told(kube: Kube, namespace: str, **options):
    found = watch.Watch().stream(kube.core.list_namespaced_config_map, namespace, **options)
    return [
        (one["type"], one["object"].metadata.name) for one in found if one["object"].metadata.name != "kube-root-ca.crt"
    ]


def test_a_watch_tells_what_happened_since_a_version_and_ends(kube: Kube, namespace: str) -> None:
    core = kube.core
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "one", "labels": {"app": "x"}}})
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "other"}})
    core.patch_namespaced_config_map("one", namespace, {"data": {"a": "1"}})
    core.delete_namespaced_config_map("one", namespace)
    all_of_one = [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]
    chosen = {"resource_version": version, "timeout_seconds": 1}
    assert told(kube, namespace, label_selector="app=x", **chosen) == all_of_one
    assert told(kube, namespace, field_selector="metadata.name=other", **chosen) == [("ADDED", "other")]


def test_who_no_longer_fits_a_selector_is_gone_to_its_watch(kube: Kube, namespace: str) -> None:
    core = kube.core
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "one", "labels": {"app": "x"}}})
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.patch_namespaced_config_map("one", namespace, {"metadata": {"labels": {"app": "y"}}})
    chosen = {"resource_version": version, "timeout_seconds": 1, "label_selector": "app=x"}
    assert told(kube, namespace, **chosen) == [("DELETED", "one")]


def test_a_watch_hears_of_what_happens_while_it_waits(kube: Kube, namespace: str) -> None:
    version = kube.core.list_namespaced_config_map(namespace).metadata.resource_version
    later = threading.Timer(
        0.3, lambda: kube.core.create_namespaced_config_map(namespace, {"metadata": {"name": "late"}})
    )
    later.start()
    waiting = watch.Watch()
    stream = waiting.stream(
        kube.core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=120
    )
    assert next(stream)["object"].metadata.name == "late"
    waiting.stop()
    later.join()


def test_a_version_that_is_forgotten_is_gone(kube: Kube, namespace: str) -> None:
    with pytest.raises(client.ApiException) as caught:
        told(kube, namespace, resource_version="1", timeout_seconds=1)
    assert caught.value.status == 410
