"""Where a restore may write: what it writes over is gone, so the files themselves are asked, right before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.postgres.recovered import CopyPlaces
from recovery.adapters.process import Host


def target_refusal(host: Host, places: CopyPlaces, scratch: Path, live: Sequence[Path]) -> str | None:
    """Why nothing may be restored into a copy's folder, or None: it is empty, in the scratch directory, in no live one."""
    wanted = (places.data_dir, places.tablespace_dir)
    empty = files.empty_directories(host, wanted)
    if taken := [path for path in wanted if path not in empty]:
        return f"{taken[0]} is not an empty folder"
    # By its name it may lie elsewhere than in truth.
    real, folder, *servers = files.real_paths(host, [places.data_dir, scratch, *live])
    if real != folder / places.folder.name / "data" or any(server in real.parents for server in servers):
        return f"{places.data_dir} is in truth {real}, which is no folder of a copy"
    return None
