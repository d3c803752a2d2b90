"""`python -m benchmarks --size 1GB`: measure, print the table, write the rows."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from benchmarks.race import race
from benchmarks.results import aims, table, write
from recovery.errors import RecoveryError

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Measure; 0 when everything was measured and proven, whatever came out."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _end)
    try:
        rows = race(arguments.size, arguments.repeat, _say)
    except RecoveryError as error:
        _say(f"FAILED: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped; nothing is left of the sandbox")
        return 130
    write(rows, arguments.output)
    print(f"\n{table(rows)}\n")
    for aim in aims(rows):
        print(f"{'met    ' if aim.met else 'NOT MET'}  {aim.text}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Backup and restore, side by side.")
    parser.add_argument("--size", default="1GB", help="size of the database, e.g. 50MB, 1GB")
    parser.add_argument("--repeat", type=int, default=1, help="turns of each contestant; the medians count")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the rows go, as JSON")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
