"""A flow for the tests of the server itself: it does nothing, for as long as it is told."""

from pathlib import Path
from typing import Literal

from prefect import flow, get_run_logger

from recovery.facts import Progress
from recovery.waiting import wait_until
from tasks.artifacts import ProgressArtifact, publish_markdown, publish_table

_LONGEST_SECONDS = 800.0


@flow(name="nap")
def nap(until: str | None = None, kind: Literal["light", "deep"] = "light", moment: str | None = None) -> None:
    """Sleep until a file is there: a test decides when, not a clock.

    Args:
        until: the file; none: not at all
        kind: how deep
        moment: a moment with seconds and a zone, e.g. 2026-01-15 10:30:00+00
    """
    get_run_logger().info("asleep (%s, %s)", kind, moment)
    if until and not wait_until(Path(until).exists, _LONGEST_SECONDS):
        raise TimeoutError(f"nobody made {until}")


@flow(name="doze")
def doze(until: str) -> None:
    """Have another flow sleep until a file is there."""
    nap(until)


@flow(name="show")
def show() -> None:
    """Publish one artifact of each kind."""
    bar = ProgressArtifact("copying", "Copying files")
    bar(Progress("restore", done_bytes=10, total_bytes=40, bytes_per_second=5e6))
    rows = [{"backup": f"20261123-18565{n}F", "repository": "1", "stored": "35.2 MB"} for n in range(3)]
    publish_table("sets", rows, "Backup sets")
    publish_markdown(
        "plan", "# Plan\n\n| step | what |\n|---|---|\n| 1 | look |\n\n```\npgbackrest info\n```\n", "Plan"
    )
    bar(Progress("restore", done_bytes=40, total_bytes=40, bytes_per_second=5e6))
