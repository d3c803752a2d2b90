"""The images that this cluster can pull, and the local program that each is."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.cluster.answers import Object

GOOD = "2.3.0"
NEEDS_NEW_KEY = "2.4.0"  # does not start without MASTER_ENCRYPTION_KEY, which no Secret has
UNKNOWN = "2.4.1"
_FRONTEND = Path(__file__).with_name("frontend.py")


@dataclass(frozen=True)
class Image:
    """A program and the variables that come with it."""

    argv: tuple[str, ...] = ()  # none: it runs what the container's `command` says
    variables: dict[str, str] = field(default_factory=dict)
    serves: bool = False  # is told where to write the port that it got


def _backend(version: str) -> Image:
    return Image((sys.executable, "-m", "sandbox.application"), {"CLICKVIEW_VERSION": version}, serves=True)


_FRONT = Image((sys.executable, "-I", "-S", str(_FRONTEND)), serves=True)
IMAGES = {
    **{f"clickview/backend:{version}": _backend(version) for version in ("2.2.9", GOOD, NEEDS_NEW_KEY)},
    **{f"clickview/frontend:{version}": _FRONT for version in ("2.2.9", GOOD)},
    "registry.k8s.io/pause:3.9": Image(("sleep", "infinity")),
    "busybox:1.36": Image(),
}


def program(container: Object, folder: Path) -> tuple[list[str], dict[str, str]] | None:
    """What a container runs, and its image's variables; None when there is no such image."""
    image = IMAGES.get(container["image"])
    if image is None:
        return None
    own = [*(container.get("command") or image.argv), *(container.get("args") or ())]
    return own + ([str(folder)] if image.serves and not container.get("command") else []), image.variables
