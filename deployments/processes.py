"""Which flow runs have a living process on this machine: read from the kernel, not from anybody's notes."""

from __future__ import annotations

from pathlib import Path

_RUN_ID = b"PREFECT__FLOW_RUN_ID="
_HOME = b"PREFECT_HOME="
_ENGINE = b"prefect.engine"


def flow_run_processes(home: Path) -> dict[str, int]:
    """The flow runs of the server with this Prefect home, and the process that carries each.

    The command is looked at too: what `recover serve` starts besides them has the same home.
    Raises: OSError when the kernel could not be asked: no run must be taken for dead because of that.
    """
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if _ENGINE not in (folder / "cmdline").read_bytes():
                continue
            words = (folder / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended, or is another user's: our worker's runs are ours
        run_id = next((word.removeprefix(_RUN_ID) for word in words if word.startswith(_RUN_ID)), None)
        if run_id and _HOME + bytes(home) in words and not has_ended(int(folder.name)):
            found[run_id.decode()] = int(folder.name)
    return found


def began_before(pid: int, moment: float) -> bool:
    """Whether this process lives and is older than that moment (in seconds since 1970), so not a later namesake."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(
            float(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime")
        )
    except (FileNotFoundError, ProcessLookupError):
        return False
    ticks_per_second = 100  # USER_HZ is 100 on every Linux
    return fields[0] != "Z" and boot + float(fields[19]) / ticks_per_second <= moment + 1


def has_ended(pid: int) -> bool:
    """Whether this process is gone, or has ended and was not waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
