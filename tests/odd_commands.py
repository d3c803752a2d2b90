"""N commands with odd values, called in this process: `python -m tests.odd_commands SEED N`, against a site that is gone.

Prints what is wrong, one JSON object a line, and at the end how often it ended with which exit status. A process of its
own: flows are plain functions only where Prefect was never imported.
"""

from __future__ import annotations

import io
import json
import os
import random
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from recovery.cli.main import main
from recovery.lease import lease_holder
from recovery.site import site
from tests.odd_values import misspelt, odd_text
from tests.stops import hearing_restored
from tests.unit.drilled import commands

# These bring up servers, or end none that is there.
_LEFT_OUT = ("sandbox", "demo", "serve")
_DOCUMENTED = {0, 2, *range(11, 19)}
# It would beat for ever.
_ALWAYS = {"site heartbeat": ["--once"]}


def odd_commands(source: random.Random) -> Iterator[list[str]]:
    """Commands, each with one to three of its options or arguments, some of them misspelt."""
    every = [(name, command) for name, command in commands() if command.params and not hasattr(command, "commands")]
    every = [(name, command) for name, command in every if name.split()[0] not in _LEFT_OUT]
    every += [one for one in every if one[0] == "backup restore"] * 6  # it has the most options
    while True:
        name, command = source.choice(every)
        words = [*name.split(), *_ALWAYS.get(name, [])]
        for param in source.sample(command.params, min(len(command.params), source.randint(1, 3))):
            words += _told(param, source)
        if source.random() < 0.1:
            words.insert(source.randint(0, len(words)), odd_text(source))
        if source.random() < 0.1:
            words = [f"--config={odd_text(source)}", *words]
        yield [word.replace("\0", "") for word in words]


def _told(param: Any, source: random.Random) -> list[str]:
    if param.param_type_name == "argument":
        return [odd_text(source)]
    name = param.opts[0]
    if name == "--help":
        return []
    if source.random() < 0.1:
        name = "--" + misspelt(name.removeprefix("--"), source)
    if param.is_flag:
        return [name if source.random() < 0.8 else f"{name}={odd_text(source)}"]
    kind = param.type_descriptor.annotation
    choices = list(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else []
    value = str(source.choice(choices)) if choices and source.random() < 0.6 else odd_text(source)
    return [f"{name}={os.fsdecode(os.fsencode(value))}"]


def called(words: list[str]) -> tuple[int, str, str]:
    """Its exit status, standard output and standard error."""
    config = os.environ["RECOVERY_CONFIG"]
    site.cache_clear()
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with patch.multiple(sys, argv=["recover", *words], stdout=out, stderr=err), hearing_restored():
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
            status = 1
            traceback.print_exc(file=err)
        finally:
            os.environ["RECOVERY_CONFIG"] = config
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return status, texts[0], texts[1]


def faults(status: int, out: str, err: str) -> list[str]:
    """What is wrong with how it ended."""
    found = [] if status in _DOCUMENTED else [f"exit status {status}"]
    if "Traceback" in out + err:
        found.append("a traceback")
    if status == 2 and "Error: " not in err:
        found.append("an error of usage without a word")
    if status >= 11 and not (err.count("\nNEXT: ") >= 1 and "recover: " in err):
        found.append("an error without NEXT")
    if children := _children():
        found.append(f"processes left: {children}")
    state = Path(os.environ["STATE_DIR"])
    if list((state / "scratch").glob("*")):
        found.append("a copy left")
    if (state / "restore.lease").exists() and lease_holder(state, "restore") is not None:
        found.append("the lease held")
    return found


def _children() -> list[str]:
    found = []
    for task in os.listdir("/proc/self/task"):
        with suppress(FileNotFoundError):  # that thread has just ended
            found += Path(f"/proc/self/task/{task}/children").read_text().split()
    return found


def run(seed: int, count: int) -> int:
    """Call them; how many were wrong."""
    import tasks.step

    # A server that is gone is asked once, and its bucket is not asked to keep each journal.
    tasks.step._DELAYS_SECONDS, tasks.step._keep = (), lambda: None  # type: ignore[assignment]
    ended: Counter[int] = Counter()
    wrong = 0
    source = random.Random(seed)
    for words, _ in zip(odd_commands(source), range(count), strict=False):
        status, out, err = called(words)
        ended[status] += 1
        if found := faults(status, out, err):
            wrong += 1
            print(json.dumps({"words": [word[:200] for word in words], "faults": found, "said": (err + out)[-1500:]}))
    print(json.dumps({"calls": count, "wrong": wrong, "ended": dict(sorted(ended.items()))}))
    return wrong


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), int(sys.argv[2])) > 0)
