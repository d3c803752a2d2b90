"""kubernetes:deployment/NAME on the sandbox's cluster, with the rights of the shipped Role."""

from __future__ import annotations

import pytest

from recovery.adapters.services.kubernetes import KubernetesService
from recovery.adapters.services.reached import Patience
from recovery.errors import GateRefused, SettingsInvalid, VerificationFailed
from recovery.facts import DeploymentFacts
from tests.fix_workloads import NAME, NO_IMAGE, ClusterAlone, at_once
from tests.waiting import until


def service(alone: ClusterAlone, name: str = NAME) -> KubernetesService:
    return KubernetesService(alone.workloads(at_once), "deployment", name, Patience(120, 120))


def names(facts: DeploymentFacts) -> set[str]:
    return {pod.name for pod in facts.pods_that_stay}


def test_a_restart_replaces_every_pod_and_its_size_stays_a_persons(alone: ClusterAlone) -> None:
    alone.make(replicas=2)
    before = names(alone.rolled_out())
    facts = service(alone).read_facts()
    assert (facts.state, facts.healthy, facts.restarts) == ("running", True, 0)
    assert facts.since is not None
    service(alone).start()
    assert names(alone.rolled_out()) == before
    service(alone).restart()
    after = names(alone.rolled_out())
    assert len(after) == 2 and not after & before
    assert [line for line in service(alone).read_log(lines=3).splitlines() if line.startswith("==>")]

    with pytest.raises(GateRefused, match=r"its size \(2\) would be lost"):
        service(alone).stop()
    alone.workloads().scale(NAME, 0)
    until(lambda: service(alone).read_facts().state == "stopped", what="no pod is left")
    service(alone).stop()
    with pytest.raises(GateRefused) as told:
        service(alone).start()
    assert told.value.next_step.endswith(f"scale deployment/{NAME} --replicas=2")  # `scale` noted it


def test_one_that_does_not_come_up_has_failed_and_one_that_is_not_there_is_a_wrong_setting(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.rolled_out()
    alone.change_container(image=NO_IMAGE)
    until(lambda: "ImagePull" in service(alone).read_facts().detail, what="the image is missed")
    assert service(alone).read_facts().state == "running"  # the former version's pod still serves
    with pytest.raises(VerificationFailed, match=r"does not run: .*\(image: "):
        service(alone).start()
    with pytest.raises(SettingsInvalid, match="clickview-nothing"):
        service(alone, "clickview-nothing").stop()
