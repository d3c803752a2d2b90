"""`make test` gives a drill that failed one more try, alone, and says so; nothing else turns red into green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
ONCE = """
from pathlib import Path
def test_once():
    first = not Path({note!r}).exists()
    Path({note!r}).touch()
    if first: raise RuntimeError("the server\\nwas slow")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Tests of their own: drills, and others beside them."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for folder in ("unit", "drills"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"test_{folder}_good.py").write_text("def test_good(): pass\n")
    return tmp_path


def run(project: Path, *options: str) -> tuple[int, list[str]]:
    words = ["-p", "tests.second_try", f"--second-try-below={project / 'drills'}", *options]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(project)],
        cwd=project,
        env=own | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


TWO_AT_ONCE = ("-p", "xdist.plugin", "-n", "2", "--dist", "loadfile")


@pytest.mark.parametrize("processes", [(), TWO_AT_ONCE], ids=["one", "two"])
def test_a_drill_that_passes_alone_is_listed_and_the_run_is_green(project: Path, processes: tuple[str, ...]) -> None:
    (project / "drills" / "test_shy.py").write_text(ONCE.format(note=str(project / "note")))
    status, said = run(project, "--second-try", *processes)
    assert status == 0
    assert "FLAKY: drills/test_shy.py::test_once: was slow" in said
    assert "2 passed, 1 flaky in" in said[-1]
    assert not [line for line in said if line.startswith("FAILED")]


@pytest.mark.parametrize("processes", [(), TWO_AT_ONCE], ids=["one", "two"])
def test_a_drill_that_fails_always_is_red_and_all_others_run(project: Path, processes: tuple[str, ...]) -> None:
    (project / "drills" / "test_bad.py").write_text("def test_bad(): assert 1 == 2\n")
    status, said = run(project, "--second-try", *processes)
    assert status == 1
    assert "FLAKY: none" in said
    assert "1 failed, 2 passed in" in said[-1]


def test_a_fixture_that_fails_once_is_a_failure_of_its_drill(project: Path) -> None:
    broken = ONCE.format(note=str(project / "note")).replace("def test_once", "@pytest.fixture\ndef site")
    (project / "drills" / "test_site.py").write_text(f"import pytest\n{broken}\ndef test_it(site): pass\n")
    status, said = run(project, "--second-try")
    assert status == 0
    assert "FLAKY: drills/test_site.py::test_it: was slow" in said


def test_a_unit_test_gets_no_second_try(project: Path) -> None:
    (project / "unit" / "test_shy.py").write_text(ONCE.format(note=str(project / "note")))
    status, said = run(project, "--second-try")
    assert status == 1
    assert "FLAKY: none" in said


def test_one_flaky_drill_does_not_hide_another_failure(project: Path) -> None:
    (project / "drills" / "test_shy.py").write_text(ONCE.format(note=str(project / "note")))
    (project / "unit" / "test_bad.py").write_text("def test_bad(): assert 1 == 2\n")
    status, said = run(project, "--second-try")
    assert status == 1
    assert "1 failed, 2 passed, 1 flaky in" in said[-1]


def test_a_file_that_cannot_be_read_is_red(project: Path) -> None:
    (project / "drills" / "test_broken.py").write_text("import nothing_of_that_name\n")
    status, said = run(project, "--second-try")
    assert status == 2
    assert "FLAKY: none" in said


def test_the_list_is_printed_when_it_is_empty_and_only_when_it_was_asked_for(project: Path) -> None:
    assert "FLAKY: none" in run(project, "--second-try")[1]
    assert not [line for line in run(project)[1] if "FLAKY" in line]


def test_who_stops_the_tests_gets_no_second_tries(project: Path) -> None:
    (project / "drills" / "test_a_shy.py").write_text(ONCE.format(note=str(project / "note")))
    (project / "drills" / "test_stop.py").write_text("def test_stop(): raise KeyboardInterrupt\n")
    status, said = run(project, "--second-try")
    assert status == 2
    assert not [line for line in said if "second try, alone" in line]


def test_who_stops_at_the_first_failure_gets_no_second_tries(project: Path) -> None:
    """What did not run would be green."""
    (project / "drills" / "test_a_shy.py").write_text(ONCE.format(note=str(project / "note")))
    for option in ("-x", "--maxfail=1"):
        status, said = run(project, "--second-try", option)
        assert status == 1
        assert not [line for line in said if "second try, alone" in line]
        (project / "note").unlink()
