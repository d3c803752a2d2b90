"""The sandbox is a whole site: its servers run, its settings are complete, its application works."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from recovery.adapters.secrets import Secrets
from recovery.environment import our_environment
from recovery.settings import load_settings
from sandbox import notes, site
from sandbox.aws import aws_client, s3
from sandbox.cluster.administration import Administration, administration
from sandbox.layout import BUCKETS, Sandbox
from tests.fix_sandbox import EVERYTHING, NewSandbox, ask
from tests.sandbox_commands import RECOVER
from tests.waiting import PATIENCE, until

WRITTEN = {
    *("organizations", "users", "organization_members", "workspaces", "workspace_members", "user_sessions"),
    *("dashboards", "widgets", "report_schedules", "audit_logs"),
}


def check_settings(sandbox: Sandbox, **variables: str):
    own = our_environment(site.recover_environment(sandbox) | variables)
    argv = [*RECOVER, "settings", "check", "--json"]
    checked = subprocess.run(argv, env=own, cwd="/", capture_output=True, text=True, timeout=PATIENCE)
    assert checked.returncode == 0, checked.stderr
    return json.loads(checked.stdout), checked.stderr


@pytest.mark.works("settings check --json")
def test_its_settings_are_complete_and_a_weak_secret_is_a_warning(sandbox: Sandbox) -> None:
    assert check_settings(sandbox) == ({"file": str(sandbox.settings_file), "problems": [], "warnings": []}, "")
    told, said = check_settings(sandbox, DB_PASSWORD="sandbox")
    [warning] = told["warnings"]
    assert warning.startswith("database.password: a common word, ")
    assert said == f"! {warning}\n"
    assert told["file"] == str(sandbox.settings_file)


def test_every_server_runs_and_answers(sandbox: Sandbox) -> None:
    states = {state.name: state.state for state in site.status(sandbox)}
    assert states == dict.fromkeys(EVERYTHING, "up")
    assert site.health(sandbox) == "healthy"


def test_the_standby_streams_from_the_primary(sandbox: Sandbox) -> None:
    assert ask(sandbox, "SELECT pg_is_in_recovery()", server="standby") is True
    assert ask(sandbox, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1
    assert ask(sandbox, "SELECT active FROM pg_replication_slots WHERE slot_name = 'standby'") is True


def test_the_settings_are_accepted_and_their_secrets_resolve(sandbox: Sandbox) -> None:
    settings = load_settings(sandbox.settings_file, {})
    reveal = Secrets(settings.aws).reveal
    assert reveal(settings.backup.encryption_key) == sandbox.secret("encryption_key")
    assert reveal(settings.redis.password) == sandbox.secret("redis")
    assert [repo.bucket for repo in settings.backup.repos] == list(BUCKETS.values())


@pytest.mark.works("site prepare --apply --restart --json")
def test_it_is_prepared_for_backups_by_the_same_code_as_any_site(sandbox: Sandbox) -> None:
    assert ask(sandbox, "SELECT current_setting('archive_mode')") == "on"
    again = json.loads(site.recover(sandbox, "site", "prepare", "--json"))
    assert again["changes"] == []


def test_wal_reaches_both_regions(sandbox: Sandbox) -> None:
    ask(sandbox, "SELECT pg_switch_wal()")
    for side, bucket in BUCKETS.items():
        listed = s3(sandbox, side).list_objects_v2(Bucket=bucket, Prefix="pgbackrest/archive/main/")
        assert listed["KeyCount"] >= 1


def test_the_hosted_zone_has_the_apis_record_set(sandbox: Sandbox) -> None:
    zone = load_settings(sandbox.settings_file, {}).aws.zone_id
    records = aws_client(sandbox, "route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [r["ResourceRecords"] for r in records if r["Name"] == "api.clickview.app."] == [[{"Value": "127.0.0.1"}]]


def test_the_application_writes_and_reads(sandbox: Sandbox) -> None:
    base = f"http://127.0.0.1:{sandbox.ports['backend']}/api"
    request = urllib.request.Request(f"{base}/dashboards", data=b'{"name": "of the test"}', method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        made = json.loads(answer.read())
    assert answer.status == 201
    assert ask(sandbox, f"SELECT name FROM dashboards WHERE id = '{made['id']}'") == "of the test"
    with urllib.request.urlopen(f"{base}/counts", timeout=PATIENCE) as answer:
        assert json.loads(answer.read())["dashboards"] >= 1


def test_the_application_says_its_health_as_the_real_one_does(sandbox: Sandbox) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{sandbox.ports['backend']}/health", timeout=PATIENCE) as answer:
        told = json.loads(answer.read())
    assert told["status"] == "healthy"
    assert told["checks"] == {"database": {"status": "pass"}, "redis": {"status": "pass"}}


def test_the_application_knows_its_database_by_the_url_alone_and_reads_it_when_it_starts(
    new_sandbox: NewSandbox,
) -> None:
    made = new_sandbox(prepare=False)
    file = made.folder / "application.env"
    assert file.stat().st_mode & 0o077 == 0  # the writer's password is in it
    with administration(made) as cluster:
        secret = cluster.core.read_namespaced_secret("clickview-secrets", "clickview").data
        url = base64.b64decode(secret["DATABASE_URL"]).decode()
        assert f":{made.ports['pods-primary']}/" in url
        elsewhere = url.replace(str(made.ports["pods-primary"]), str(made.ports["standby"]))

        def point(**values: str) -> None:
            cluster.core.patch_namespaced_secret("clickview-secrets", "clickview", {"stringData": values})

        def restart(token: str) -> None:
            annotations = {"kubectl.kubernetes.io/restartedAt": token}
            cluster.patch_backend({"spec": {"template": {"metadata": {"annotations": annotations}}}})

        point(DB_HOST="nowhere.example", DB_PORT="1")
        restart("1")
        until(lambda: rolled_out(cluster.backend()), what="the first restart")
        assert site.health(made) == "healthy"
        point(DATABASE_URL=elsewhere)
        assert site.health(made) == "healthy"  # it has not read it yet
        restart("2")
        log = until(lambda: says(cluster, "read only"), what="a pod that finds its database read only")
        assert "health: database: read only" in log
        assert site.health(made) == "healthy"  # those that are not ready take nobody's place
        point(DATABASE_URL=url)
        restart("3")
        until(lambda: rolled_out(cluster.backend()), what="the last restart")


def rolled_out(backend: dict[str, Any]) -> bool:
    status, wanted = backend["status"], backend["spec"]["replicas"]
    counts = {status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return status["observedGeneration"] == backend["metadata"]["generation"] and counts == {wanted}


def says(cluster: Administration, text: str) -> str | None:
    """The log of a backend pod in which this stands."""
    pods = [pod["metadata"]["name"] for pod in cluster.backend_pods() if pod["status"]["phase"] == "Running"]
    logs = [cluster.core.read_namespaced_pod_log(pod, "clickview") for pod in pods]
    return next((log for log in logs if text in log), None)


def test_the_writers_notes_are_what_the_database_holds(sandbox: Sandbox) -> None:
    until(lambda: noted(sandbox) >= WRITTEN, what="a write of every kind")
    moment = datetime.now(UTC)
    until(lambda: notes.committed_after(notes.read_notes(sandbox.notes_file), moment), what="a later write")
    found = notes.compare(sandbox.admin_address(), notes.read_notes(sandbox.notes_file), datetime.now(UTC))
    assert found.expected > 0
    assert found.lost_rows == 0
    assert set(found.lost) == WRITTEN
    # As of an earlier moment the rows written since are too many: the count can tell them apart.
    assert notes.compare(sandbox.admin_address(), notes.read_notes(sandbox.notes_file), moment).extra_rows > 0


def noted(sandbox: Sandbox) -> set[str]:
    return set(notes.acknowledged_until(notes.read_notes(sandbox.notes_file), datetime.now(UTC)))


@pytest.mark.works("sandbox env --dir")
def test_the_variables_are_the_runbooks_own(sandbox: Sandbox) -> None:
    script = (
        f'eval "$({" ".join(RECOVER[:1])} -c "$1" sandbox env --dir {sandbox.folder})" && '
        'psql -h "$DB_HOST" -p "$DB_PORT" -U "$DB_USER" -d "$DB_NAME" -Atc "SELECT 1" && echo "$RECOVERY_CONFIG $ZONE_ID"'
    )
    told = subprocess.run(
        ["sh", "-c", script, "sh", RECOVER[2]], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert told.stdout.split()[:2] == ["1", str(sandbox.settings_file)]
    assert len(told.stdout.split()) == 3
