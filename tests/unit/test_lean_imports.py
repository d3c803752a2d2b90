"""A library imported without its company: less is loaded, and what it cannot do without it gets after all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_TRY = """
import json, sys
from recovery.adapters.expectations.lean import imported
usual = list(sys.meta_path)
made = imported("ours", "library", without=["extra", "never_there"], later=["library.pictures"])
import library
print(json.dumps([made.VERDICT, library.extra, sorted({"extra", "never_there"} & set(sys.modules)), sys.meta_path == usual]))
print(library.pictures.DRAWN)
"""
_OPTIONAL = "try:\n    import extra\nexcept ImportError:\n    extra = None\nelse:\n    extra = 'there'\n"
_NEEDED = "import extra as _extra\nextra = 'there'\n"
# It takes the module for missing, and stumbles later: in any way.
_USED = f"{_OPTIONAL}if extra is None:\n    extra.touched\n"
_CALLED = f"{_OPTIONAL}if extra is None:\n    extra()\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "pictures.py").write_text("print('loading pictures')\nDRAWN = 'drawn'\n")
    (tmp_path / "extra.py").write_text("")
    (tmp_path / "ours.py").write_text("import library, library.pictures\nprint('imported')\nVERDICT = 'sound'\n")
    return tmp_path


def told(folder: Path) -> list[str]:
    path = {"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run([sys.executable, "-c", _TRY], env=path, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.splitlines()


def test_what_it_can_do_without_is_not_loaded_and_the_rest_at_first_use(library: Path) -> None:
    (library / "library" / "__init__.py").write_text(_OPTIONAL)
    assert told(library) == ["imported", '["sound", null, [], true]', "loading pictures", "drawn"]


@pytest.mark.parametrize("needed", [_NEEDED, _USED, _CALLED], ids=["ImportError", "AttributeError", "TypeError"])
def test_a_library_that_does_not_bear_it_is_imported_as_usual(library: Path, needed: str) -> None:
    (library / "library" / "__init__.py").write_text(needed)
    assert told(library) == ["loading pictures", "imported", '["sound", "there", ["extra"], true]', "drawn"]
