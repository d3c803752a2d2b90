"""Break a sandbox on purpose: every fault says what it did, and most can be undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from recovery.errors import GateRefused, TargetUnreachable
from recovery.waiting import wait_until
from sandbox import site
from sandbox.faults import cluster, database, disk, pages, repository, storage
from sandbox.faults.report import Broken, Options, Undo
from sandbox.layout import PATIENCE_SECONDS, Sandbox

__all__ = ["FAULTS", "Broken", "Fault", "Options", "break_it", "undo"]


@dataclass(frozen=True)
class Fault:
    """One way to break a site, and how to mend it where that makes sense."""

    make: Callable[[Sandbox, Options], Broken]
    undo: Undo | None = None

    @property
    def summary(self) -> str:
        return (self.make.__doc__ or "").split("\n")[0]


FAULTS: dict[str, Fault] = {
    "kill-primary": Fault(database.kill_primary, database.start_primary),
    "drop-table": Fault(database.drop_table),
    "delete-rows": Fault(database.delete_rows),
    "corrupt-heap-page": Fault(pages.corrupt_heap_page, pages.put_page_back),
    "corrupt-index": Fault(pages.corrupt_index, pages.rebuild_index),
    "lose-wal-segment": Fault(repository.lose_wal_segment, repository.put_segment_back),
    "corrupt-repo-file": Fault(repository.corrupt_repo_file, repository.flip_back),
    "wrong-cipher-key": Fault(repository.use_wrong_cipher_key, repository.use_right_cipher_key),
    "s3-down": Fault(storage.stop_s3, storage.go_on_with_s3),
    "s3-slow": Fault(storage.slow_s3, storage.speed_up_s3),
    "disk-full": Fault(disk.fill_disk, disk.free_disk),
    "kill-pod": Fault(cluster.kill_pod, cluster.clear_pods),
    "kill-all-pods": Fault(cluster.kill_all_pods, cluster.clear_pods),
    "crash-loop": Fault(cluster.crash_loop, cluster.put_template_back),
    "bad-image": Fault(cluster.bad_image, cluster.put_template_back),
    "out-of-memory": Fault(cluster.out_of_memory, cluster.put_template_back),
    "no-capacity": Fault(cluster.no_capacity, cluster.uncordon),
    "slow-application": Fault(cluster.slow_application, cluster.take_load_away),
    "hang-pods": Fault(cluster.hang_pods, cluster.thaw_pods),
    "database-unreachable-from-pods": Fault(cluster.cut_database, cluster.mend_way),
    "cache-unreachable-from-pods": Fault(cluster.cut_cache, cluster.mend_way),
    "kubernetes-down": Fault(cluster.stop_kubernetes, cluster.start_kubernetes),
    "kubernetes-hung": Fault(cluster.freeze_kubernetes, cluster.start_kubernetes),
}


def break_it(sandbox: Sandbox, name: str, options: Options | None = None) -> Broken:
    """Make a fault.

    Raises: GateRefused when it is not known, already made, or not possible here. TargetUnreachable when the application
    does not mind; it is noted and can be undone then, too.
    """
    fault = _known(name)
    record = sandbox.faults_dir / f"{name}.json"
    if record.exists():
        raise GateRefused(f"{name} was made already", f"undo it first: recover sandbox break {name} --undo")
    broken = fault.make(sandbox, options or Options())
    if fault.undo:
        record.touch(mode=0o600)
        record.write_text(json.dumps(broken.kept))
    if broken.ill and not wait_until(lambda: site.health(sandbox) != "healthy", PATIENCE_SECONDS):
        raise TargetUnreachable("the application does not mind", "see recover sandbox status")
    return broken


def undo(sandbox: Sandbox, name: str) -> str:
    """Mend a fault that was made before; says what was done.

    Raises: GateRefused when it can't be undone or was not made.
    """
    fault = _known(name)
    if not fault.undo:
        raise GateRefused(f"{name} can't be undone", "recover the site: that is what it is for")
    record = sandbox.faults_dir / f"{name}.json"
    if not record.exists():
        raise GateRefused(f"{name} was not made in this sandbox", "see recover sandbox status")
    said = fault.undo(sandbox, json.loads(record.read_text()))
    record.unlink()
    return said


def _known(name: str) -> Fault:
    if name not in FAULTS:
        raise GateRefused(f"there is no fault {name}", f"choose one of {', '.join(FAULTS)}")
    return FAULTS[name]
