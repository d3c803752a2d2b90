"""A command in the test's own process, for what starts no flow: as it is typed, and in a fraction of the time."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from unittest.mock import patch

import pytest

from recovery.cli.main import main
from recovery.settings.model import ENVIRONMENT
from recovery.site import site
from tests.fix_drills import Ended
from tests.stops import hearing_restored


def recover_here(capsys: pytest.CaptureFixture[str], settings: Path, *words: str) -> Ended:
    """Run `recover …` with these settings, and read what it wrote."""
    own = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    capsys.readouterr()
    begin = time.monotonic()
    with (
        patch.dict(os.environ, own | {"RECOVERY_CONFIG": str(settings)}, clear=True),
        patch("sys.argv", ["recover", *words]),
    ):
        site.cache_clear()
        status = _status()
        site.cache_clear()
    told = capsys.readouterr()
    return Ended(status, told.out, told.err, time.monotonic() - begin)


def _status() -> int:
    try:
        with hearing_restored():
            main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.stdout.flush()
    return 0
