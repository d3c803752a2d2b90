"""A flow for the tests of the server itself: it does nothing, for as long as it is told."""

import time
from typing import Literal

from prefect import flow, get_run_logger

from recovery.facts import Progress
from tasks.artifacts import ProgressArtifact, publish_markdown, publish_table


@flow(name="nap")
def nap(seconds: float = 0.0, kind: Literal["light", "deep"] = "light", moment: str | None = None) -> None:
    """Sleep.

    Args:
        seconds: how long
        kind: how deep
        moment: a moment with seconds and a zone, e.g. 2026-01-15 10:30:00+00
    """
    get_run_logger().info("asleep (%s, %s)", kind, moment)
    time.sleep(seconds)


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
