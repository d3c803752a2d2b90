"""Faults of the sandbox's repositories, regions and disk: each is seen and undone."""

from __future__ import annotations

import os
import ssl
import time
import urllib.error
import urllib.request

import pytest

from recovery.adapters.process import HERE, Host
from recovery.errors import GateRefused
from recovery.settings import load_settings
from recovery.site import Site
from sandbox import faults, site
from sandbox.aws import s3
from sandbox.layout import BUCKETS, Sandbox
from tests.fix_sandbox import ask
from tests.sandbox_commands import break_, sandbox_command
from tests.waiting import PATIENCE, until

SEGMENT_BYTES = 16 * 1024**2


def pgbackrest(sandbox: Sandbox, *arguments: str, check: bool = True):
    folder = sandbox.state_dir / "pgbackrest"
    options = [f"--config={folder}/pgbackrest.conf", f"--config-include-path={folder}/conf.d", "--stanza=main"]
    argv = ["pgbackrest", *options, *arguments]
    passwords = {"PGPASSFILE": str(folder / "pgpass")}
    return Host(sandbox.prefix).run(argv, timeout_seconds=PATIENCE, env=passwords, check=check)


@pytest.mark.works("sandbox break --segment --repo --undo")
def test_lose_wal_segment_takes_the_named_one_from_the_named_region(broken: Sandbox) -> None:
    segment = ask(broken, "SELECT pg_walfile_name(pg_create_restore_point('named'))")
    ask(broken, "SELECT pg_switch_wal()")
    until(lambda: all(segment in segments(broken, side) for side in BUCKETS), what=f"{segment} in both regions")
    assert break_(broken, "lose-wal-segment", "--segment", segment, "--repo", "2")["segment"] == segment
    assert {side: segment in segments(broken, side) for side in BUCKETS} == {"east": True, "west": False}
    break_(broken, "lose-wal-segment", "--undo")
    assert segment in segments(broken, "west")


def test_lose_wal_segment_takes_it_from_both_regions_and_undo_brings_it_back(broken: Sandbox) -> None:
    done = faults.break_it(broken, "lose-wal-segment")
    segment = str(done.details["segment"])
    archived = {side: segments(broken, side) for side in BUCKETS}
    for found in archived.values():
        assert segment not in found
        assert min(found) < segment < max(found)
    faults.undo(broken, "lose-wal-segment")
    assert all(segment in segments(broken, side) for side in BUCKETS)


def test_corrupt_repo_file_is_seen_by_a_verify_and_undone(broken: Sandbox) -> None:
    with pytest.raises(GateRefused, match="repo2 holds no backup set"):
        faults.break_it(broken, "corrupt-repo-file", faults.Options(repo=2))
    pgbackrest(broken, "backup", "--repo=1", "--type=full")
    done = faults.break_it(broken, "corrupt-repo-file")
    verify = ("verify", "--repo=1", "--output=text", "--log-level-console=warn")
    said = pgbackrest(broken, *verify).stdout
    assert "checksum invalid: 1" in said
    assert str(done.details["label"]) in said
    faults.undo(broken, "corrupt-repo-file")
    assert "invalid" not in pgbackrest(broken, *verify).stdout


def test_wrong_cipher_key_makes_the_repositories_unreadable_until_undone(broken: Sandbox) -> None:
    read = ("repo-get", "backup/main/backup.info")
    assert "backrest-format" in pgbackrest(broken, *read).stdout
    faults.break_it(broken, "wrong-cipher-key")
    assert pgbackrest(broken, *read, check=False).status != 0
    faults.undo(broken, "wrong-cipher-key")
    assert "backrest-format" in pgbackrest(broken, *read).stdout


@pytest.mark.works("sandbox break --cut --undo")
@pytest.mark.refuses("sandbox break --cut")
@pytest.mark.parametrize(("cut", "least"), [(False, 1.0), (True, 0.0)])
def test_s3_down_hangs_or_cuts_one_region_only(broken: Sandbox, cut: bool, least: float) -> None:
    break_(broken, "s3-down", *(["--cut"] if cut else []))
    assert knock(broken, "west") is not None
    begin = time.monotonic()
    assert knock(broken, "east", seconds=2) is None
    assert time.monotonic() - begin >= least
    frozen = [state.name for state in site.status(broken) if state.state == "frozen"]
    assert frozen == ([] if cut else ["s3-east"])
    again = sandbox_command(broken.folder, "break", "s3-down", "--cut")
    assert (again.returncode, "s3-down was made already" in again.stderr) == (14, True)
    break_(broken, "s3-down", "--undo")
    until(lambda: knock(broken, "east"), what="an answer of S3")


@pytest.mark.works("sandbox break --repo --delay")
def test_s3_slow_delays_every_answer_of_one_region(broken: Sandbox) -> None:
    break_(broken, "s3-slow", "--repo", "2", "--delay", "2000")
    slow = knock(broken, "west")
    assert slow is not None
    assert slow > 2.0
    until(lambda: answers_within(broken, "east", 2.0), what="an answer of the other region that is not delayed")
    faults.undo(broken, "s3-slow")
    until(lambda: answers_within(broken, "west", 2.0), what="an answer without the delay")


def test_a_slow_repository_is_read_to_its_end_and_a_silent_one_is_given_up(broken: Sandbox) -> None:
    """A deadline counts how long a repository is silent, not how long it takes to tell all that it holds."""
    faults.break_it(broken, "s3-slow", faults.Options(repo=1, delay_ms=700))
    slow = with_patience(broken, 12).backups.read_repo(1, SEGMENT_BYTES)
    faults.undo(broken, "s3-slow")
    assert slow.problem is None
    assert slow.segments
    faults.break_it(broken, "s3-down", faults.Options(repo=1))
    silent = with_patience(broken, 4).backups.read_repo(1, SEGMENT_BYTES)
    faults.undo(broken, "s3-down")
    assert "waiting for read" in (silent.problem or "")


@pytest.mark.works("sandbox break --free")
@pytest.mark.skipif(os.geteuid() != 0, reason="disk-full takes root")
def test_disk_full_gives_a_real_no_space_left(broken: Sandbox) -> None:
    scratch = load_settings(broken.settings_file, {}).scratch_dir
    break_(broken, "disk-full", "--free", "200KB")
    full = HERE.run(
        ["dd", "if=/dev/zero", f"of={scratch}/file", "bs=1k", "count=400"], timeout_seconds=PATIENCE, check=False
    )
    assert full.status != 0
    assert "No space left on device" in full.stderr
    faults.undo(broken, "disk-full")
    HERE.run(["dd", "if=/dev/zero", f"of={scratch}/file", "bs=1k", "count=400"], timeout_seconds=PATIENCE)


def with_patience(sandbox: Sandbox, seconds: int) -> Site:
    settings = load_settings(sandbox.settings_file, {})
    backup = settings.backup.model_copy(update={"answer_seconds": seconds})
    return Site(settings.model_copy(update={"backup": backup}))


def segments(sandbox: Sandbox, side: str) -> set[str]:
    listed = s3(sandbox, side).list_objects_v2(Bucket=BUCKETS[side], Prefix="pgbackrest/archive/main/")
    names = (item["Key"].rpartition("/")[2] for item in listed["Contents"])
    return {name[:24] for name in names if len(name) > 60}


def knock(sandbox: Sandbox, side: str, *, seconds: float = PATIENCE) -> float | None:
    """Seconds that a request to a region takes, through its proxy; None when it gets no answer."""
    url = f"https://127.0.0.1:{sandbox.ports[f'proxy-{side}']}/"
    trusted = ssl.create_default_context(cafile=str(sandbox.ca_file))
    begin = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=seconds, context=trusted):
            pass
    except urllib.error.HTTPError:
        pass  # it answers that nobody may list the buckets without a key
    except OSError:
        return None
    return time.monotonic() - begin


def answers_within(sandbox: Sandbox, side: str, seconds: float) -> bool:
    took = knock(sandbox, side)
    return took is not None and took < seconds
