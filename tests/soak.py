"""`make soak N=3`: all tests, N times, while three busy loops take the processors. No second tries.

What passes here does not hang on the speed of the machine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LOOPS = 3
_BUSY = [sys.executable, "-c", "while True: pass"]
_SUMMARY = re.compile(r"^=+ (.*\d+ (?:passed|failed|error).*) =+$", re.MULTILINE)


def main(rounds: int, *options: str) -> int:
    """Run the rounds, say how each ended, and end with 1 when one was not green."""
    results = []
    for number in range(1, rounds + 1):
        print(f"\n==== soak {number} of {rounds}", flush=True)
        begin = time.monotonic()
        with busy_loops():
            status, said = _run_tests(options)
        line = f"{'green' if status == 0 else 'RED'}: {said} ({time.monotonic() - begin:.0f} s)"
        print(f"soak {number} of {rounds}: {line}", flush=True)
        results.append((status, line))
    green = sum(status == 0 for status, _ in results)
    print("\n" + "\n".join(line for _, line in results))
    print(f"soak: {green} of {rounds} runs green, beside {_LOOPS} busy loops")
    return 0 if green == rounds else 1


@contextmanager
def busy_loops() -> Iterator[None]:
    """Three processes that never rest. They end with us, whatever happens."""
    with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
    loops = [subprocess.Popen([*with_us, *_BUSY]) for _ in range(_LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _run_tests(options: tuple[str, ...]) -> tuple[int, str]:
    argv = [sys.executable, "-m", "pytest", "--durations=20", *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        last = ""
        for line in tests.stdout:
            print(line, end="", flush=True)
            last = line if _SUMMARY.match(line.strip()) else last
    return tests.returncode, last.strip(" =\n") or "no summary"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
