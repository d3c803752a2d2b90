"""Names and texts as other people give them, where they are shown: as they are, on one line, and nothing else."""

from __future__ import annotations

import itertools
import shlex
import subprocess

import pytest

from recovery.adapters.application import Application
from recovery.adapters.expectations.report import render_html
from recovery.catalog import TableName, spoken
from recovery.cli.output import table
from recovery.facts import CheckReport, CheckResult, CheckStatus, DatabaseAddress
from recovery.redaction import remember_secret
from recovery.settings.services import ApplicationSettings
from tasks.artifacts import markdown_table
from tests.unit.build import T0

ODD = [
    *(
        "a,b",
        "a.b",
        "b",
        "a",
        "c",
        "b.c",
        'q"uote',
        '"',
        "",
        " ",
        "A",
        "ü",
        "line\nbreak",
        "line\\+00000Abreak",
        "tab\t",
    ),
    *(
        "[/red]",
        "[bold]x",
        "pipe|d",
        "`code`",
        "*star*",
        "_low_",
        "<script>alert(1)</script>",
        "&amp;",
        "\x1b[31m",
        "=",
        "\u202e",
    ),
]


def test_no_two_tables_are_written_alike_and_each_on_one_line() -> None:
    names = [TableName(schema, name) for schema, name in itertools.product(["public", *ODD], ODD)]
    said = {str(name) for name in names}
    assert len(said) == len(names)
    assert all(text.isprintable() for text in said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("users", "users"),
        ("Users", '"Users"'),
        ('q"uote x', '"q""uote x"'),
        ("line\nbreak", 'U&"line\\+00000Abreak"'),
        ("back\\slash\n", 'U&"back\\\\slash\\+00000A"'),
    ],
)
def test_how_names_are_written(name: str, said: str) -> None:
    assert spoken(name) == said


@pytest.mark.parametrize(
    ("database", "last"),
    [("clickview", "clickview"), ('click"view ünd co', 'click"view ünd co'), ("a='b\\", r"dbname='a=\'b\\'")],
)
def test_the_command_to_a_database_is_what_a_shell_takes(database: str, last: str) -> None:
    words = shlex.split(DatabaseAddress("/tmp/a b", 5432, database, "postgres").psql)
    assert words == ["psql", "-h", "/tmp/a b", "-p", "5432", "-U", "postgres", "-d", last]


@pytest.mark.parametrize("name", ODD)
def test_a_table_on_the_terminal_shows_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table(("name",), [(spoken(name),)], title=name)
    assert spoken(name) in capsys.readouterr().out


def test_a_cell_of_a_document_is_one_cell() -> None:
    rows = [{"name": name} for name in ("a|b", "`c`", "*d* _e_ f_g", "h\ni", "<b>j</b>", "[k](l)", "m\\")]
    assert markdown_table(rows).splitlines()[2:] == [
        r"| a\|b |",
        r"| \`c\` |",
        r"| \*d\* \_e\_ f_g |",
        "| h i |",
        "| &lt;b>j&lt;/b> |",
        r"| \[k\](l) |",
        r"| m\\ |",
    ]


def test_a_secret_is_masked_before_anything_is_escaped() -> None:
    secret = remember_secret("pass|word*of_these_tests_")
    assert markdown_table([{"said": f"it is {secret}"}]).endswith("| it is ••• |")


def test_the_report_is_no_script() -> None:
    odd = "<script>alert('x')</script>"
    results = tuple(CheckResult(odd, odd, status, odd, odd, (odd,)) for status in CheckStatus)
    page = render_html(CheckReport(odd, T0, 0.1, results, ((odd, odd),)))
    assert "<script" not in page


def test_a_version_is_an_argument_that_programs_take() -> None:
    application = Application(ApplicationSettings(version="1.0\n\0" + "x" * 200_000))
    version = application.version() or ""
    assert version.startswith("1.0  xxx")
    subprocess.run(["true", f"--annotation=application-version={version}"], check=True)
