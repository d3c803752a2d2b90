"""Faults of S3: a region doesn't answer, or answers slowly."""

from __future__ import annotations

import os
import signal
from typing import Any

from recovery.errors import GateRefused
from sandbox import services
from sandbox.faults.report import Broken, Options
from sandbox.layout import REGIONS, Sandbox
from sandbox.proxy import control_file

_SIDES = {1: "east", 2: "west"}


def stop_s3(sandbox: Sandbox, options: Options) -> Broken:
    """Freeze the S3 server of a repository (default: 1): it takes connections and never answers.

    With --cut connections to it are reset instead.
    """
    side = _SIDES[options.repo or 1]
    if options.cut:
        control_file(sandbox, side).write_text("cut\n")
        return Broken(f"S3 in {REGIONS[side]} resets every connection", kept={"side": side, "pid": None})
    pid = services.running_pid(services.find(sandbox, f"s3-{side}"))
    if pid is None:
        raise GateRefused(f"the S3 server of {REGIONS[side]} does not run", "see recover sandbox status")
    os.kill(pid, signal.SIGSTOP)
    return Broken(f"S3 in {REGIONS[side]} is frozen (process {pid} stopped)", kept={"side": side, "pid": pid})


def go_on_with_s3(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Let the S3 server go on."""
    side = kept["side"]
    control_file(sandbox, side).unlink(missing_ok=True)
    pid = services.running_pid(services.find(sandbox, f"s3-{side}"))
    if pid and pid == kept["pid"]:
        os.kill(pid, signal.SIGCONT)
    return f"S3 in {REGIONS[side]} answers again"


def slow_s3(sandbox: Sandbox, options: Options) -> Broken:
    """Delay every piece of data to and from a repository's S3 (default: 1, 200 ms)."""
    side = _SIDES[options.repo or 1]
    control_file(sandbox, side).write_text(f"delay {options.delay_ms}\n")
    return Broken(f"S3 in {REGIONS[side]} answers {options.delay_ms} ms later, each time", kept={"side": side})


def speed_up_s3(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Take the delay away."""
    control_file(sandbox, kept["side"]).unlink(missing_ok=True)
    return f"S3 in {REGIONS[kept['side']]} is as fast as before"
