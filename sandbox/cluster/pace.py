"""How much faster this cluster's clocks go than a real one's: a drill is watched for seconds."""

from __future__ import annotations

from sandbox.cluster.answers import Object

PROBES = 1.0  # of periodSeconds; 5 and 10 s in ClickView's manifests: each asks database and Redis
ENDINGS = 0.1  # of terminationGracePeriodSeconds and of a preStop's sleep; 30 and 10 s
FIRST_LOOKS_SECONDS = 0.15  # until it is ready for the first time; initialDelaySeconds is not waited for
FIRST_LOOKS_LAST_SECONDS = 20.0
BACK_OFF_SECONDS = (0.0, 1.0, 2.0, 4.0, 5.0)  # before each restart; 0, 10, 20, … 300 s
FORGIVEN_SECONDS = 30.0  # after which a run counts as good; 600 s
PULL_SECONDS = 1.0  # until an image that could not be pulled is tried again; 10 … 300 s
_SHORTEST_GRACE = 0.5


def back_off(crashes: int) -> float:
    """How long to wait before a container is started that crashed so many times in a row."""
    return BACK_OFF_SECONDS[min(crashes, len(BACK_OFF_SECONDS)) - 1] if crashes else 0.0


def grace(seconds: float) -> float:
    """How long a container has, to end by itself."""
    return max(_SHORTEST_GRACE, seconds * ENDINGS) if seconds else 0.0


def pre_stop(container: Object) -> float:
    """How long its preStop hook sleeps."""
    hook: Object = (container.get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        return float(hook["sleep"]["seconds"]) * ENDINGS
    words = " ".join((hook.get("exec") or {}).get("command") or ()).split()
    if "sleep" not in words:
        return 0.0
    return float(words[words.index("sleep") + 1]) * ENDINGS
