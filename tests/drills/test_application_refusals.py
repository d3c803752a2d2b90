"""What scenario 2 does not cure, and what it is not let do: one clear error each, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from sandbox import services
from tests.drills.test_application_failure import cause_seen
from tests.fix_recovery import ApplicationDrill
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)


def refused(application: ApplicationDrill, *options: str, status: int = 14) -> str:
    """What was said, with the cluster as it was."""
    before = application.cluster.state()
    said = application.refusal("application-failure", *options, status=status, seconds=400)
    assert application.cluster.state() == before
    return said


@pytest.mark.long
def test_a_node_that_has_no_room_is_told_with_the_command(application: ApplicationDrill) -> None:
    application.break_it("no-capacity")
    cause_seen(application, "node")
    said = refused(application)
    assert said.startswith("node: no node takes pod clickview-backend-")
    assert "kubectl get nodes" in said


@pytest.mark.long
def test_a_path_to_the_database_that_is_cut_is_not_cured_by_restarts(application: ApplicationDrill) -> None:
    application.break_it("database-unreachable-from-pods")
    cause_seen(application, "path to the database")
    said = refused(application)
    assert said.startswith("path to the database: the database answers from here, and not from the application")
    assert "get networkpolicies" in said


def test_a_database_that_is_down_is_handed_over(application: ApplicationDrill) -> None:
    application.break_it("kill-primary")
    cause_seen(application, "database")
    said = refused(application, "--incident=INC-DB")
    assert said.startswith("database: the database does not answer from here: ")
    assert "restarts of the application do not cure it" in said
    events = application.done("incident", "show", "INC-DB", "--json").stdout
    assert '"handed over"' in events and "database-failure" in events


@pytest.mark.long
def test_a_cache_that_is_down_is_handed_over(application: ApplicationDrill) -> None:
    redis = services.find(application.sandbox, "redis")
    services.stop(redis)
    try:
        cause_seen(application, "cache")
        assert refused(application).startswith("cache: the redis does not answer from here: ")
    finally:
        services.start(redis)


@pytest.mark.long
def test_what_somebody_stopped_is_left_alone(application: ApplicationDrill) -> None:
    application.cluster.scaling.patch_namespaced_horizontal_pod_autoscaler(
        "clickview-backend-hpa", "clickview", {"spec": {"minReplicas": 3}}
    )
    application.cluster.change({"spec": {"replicas": 0}})
    try:
        until(lambda: not application.cluster.pods(), what="no pod")
        said = refused(application)
        assert said.startswith("scaled to none: clickview-backend is scaled to 0: somebody stopped it")
    finally:
        application.cluster.change({"spec": {"replicas": 3}})


@pytest.mark.long
@pytest.mark.refuses("application-failure --mode")
def test_nobody_may_be_asked_and_the_policy_wants_somebody(application: ApplicationDrill) -> None:
    application.break_it("bad-image")
    cause_seen(application, "image")
    said = refused(application, "--mode=auto", status=17)
    assert said.startswith("roll_back: [approval.policy] wants a person, and --mode=auto asks none")
    said = refused(application.allowing(roll_back="never"))
    assert "[approval.policy] roll_back = never" in said


@pytest.mark.long
@pytest.mark.refuses("approve INCIDENT --refuse")
def test_a_person_says_no(application: ApplicationDrill) -> None:
    application.break_it("bad-image")
    cause_seen(application, "image")
    before = application.cluster.state()
    with application.start("application-failure", "--incident=INC-NO") as run:
        words = ("approve", "INC-NO", "--by=Ada", "--reason=not now", "--refuse")
        until(lambda: application.run(*words).status == 0, what="the refusal")
        _, err = run.communicate(timeout=400)
    assert (run.returncode, application.cluster.state()) == (17, before)
    assert "was refused by Ada: not now" in err


def wrong_namespace(application: ApplicationDrill) -> ApplicationDrill:
    return ApplicationDrill(*_parts(application, "kubernetes", 'namespace = "clickview"', 'namespace = "elsewhere"'))


def wrong_name(application: ApplicationDrill) -> ApplicationDrill:
    return ApplicationDrill(*_parts(application, "services", "deployment/clickview-backend", "deployment/backend"))


def _parts(application: ApplicationDrill, section: str, old: str, new: str) -> tuple[object, ...]:
    text = application.settings.read_text()
    assert old in text, section
    file = application.settings.with_name(f"wrong-{section}.toml")
    file.touch(mode=0o600)
    file.write_text(text.replace(old, new))
    return application.sandbox, file, application.more


@pytest.mark.parametrize(
    ("mislead", "problem"),
    [
        (wrong_namespace, "namespace elsewhere"),
        (wrong_name, "namespace clickview has no deployment backend; its deployments: clickview-backend, "),
    ],
)
def test_wrong_names(
    application: ApplicationDrill, mislead: Callable[[ApplicationDrill], ApplicationDrill], problem: str
) -> None:
    before = application.cluster.state()
    said = mislead(application).refusal("application-failure", status=11)
    assert problem in said
    assert application.cluster.state() == before


def test_credentials_that_are_refused_change_nothing(application: ApplicationDrill) -> None:
    folder = application.sandbox.folder / "kubernetes"
    stranger = yaml.safe_load((folder / "recovery.kubeconfig").read_text())
    stranger["users"][0]["user"]["token"] = "of-somebody-else"
    (folder / "wrong.kubeconfig").touch(mode=0o600)
    (folder / "wrong.kubeconfig").write_text(yaml.safe_dump(stranger))
    before = application.cluster.state()
    wrong = ApplicationDrill(*_parts(application, "kubeconfig", "recovery.kubeconfig", "wrong.kubeconfig"))
    said = wrong.refusal("application-failure", status=11)
    assert "does not accept the credentials" in said
    assert "of-somebody-else" not in said
    assert application.cluster.state() == before


@pytest.mark.parametrize("fault", ["kubernetes-down", pytest.param("kubernetes-hung", marks=pytest.mark.long)])
def test_an_api_server_that_is_gone_or_hangs(application: ApplicationDrill, fault: str) -> None:
    application.break_it(fault)
    said = application.refusal("application-failure", status=12, seconds=200)
    assert "does not answer" in said


@pytest.mark.long
@pytest.mark.refuses(
    "application-failure --incident --option --replicas --component --occurred --detected --by --take-over",
    "application scale-back --component --incident --take-over",
)
def test_words_that_cannot_be(application: ApplicationDrill) -> None:
    for words in (
        ("--option=reboot",),
        ("--replicas=0",),
        ("--component=database",),
        ("--incident=",),
        ("--by=",),
        ("--take-over=",),
    ):
        assert application.run("application-failure", *words).status == 2
    for words in (("--component=database",), ("--incident=",), ("--take-over=",)):
        assert application.run("application", "scale-back", *words).status == 2
    assert "is not a moment" in application.refusal("application-failure", "--occurred=yesterday-ish", status=14)
    assert "still to come" in application.refusal("application-failure", "--detected=2199-01-01T00:00:00Z", status=14)
