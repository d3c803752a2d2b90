"""One database of a restored copy into a database of a running server: all its rows, or it fails; what else fails is named."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.postgres.load_faults import (
    GONE_ON,
    Fault,
    errors_of_dump,
    faults_in,
    faults_of_psql,
    listed,
    named,
    roles_missing,
    to_type,
)
from recovery.adapters.postgres.load_rows import copy_rows, rows_of_extensions, unmade_tables
from recovery.adapters.postgres.schema_public import drop_public_where_gone
from recovery.adapters.postgres.session import session_options
from recovery.adapters.postgres.unproven import prove_conditions, taken_as_unproven
from recovery.adapters.process import PROMPT_SECONDS, Completed, Host
from recovery.environment import NO_FILE
from recovery.errors import CommandFailed
from recovery.facts import DatabaseAddress, LeftOut

_SECTIONS = ("pre-data", "post-data")
_NEXT_STEP = "read the lines above; the new database was removed, the live one is untouched"
# pg_restore looks for nothing outside the schema it names; what relies on a search_path is tried again with one.
_NO_PATH = "SELECT pg_catalog.set_config('search_path', '', false);"
# They would run at each statement of the load that comes after them.
_LAST = " EVENT TRIGGER "


@dataclass(frozen=True)
class Load:
    """One database on its way. `folder` is the copy's own: archives of its definitions (not of its rows) lie there.

    `search_path`: where the application's sessions look for names.
    """

    host: Host
    bin_dir: Path
    folder: Path
    source: DatabaseAddress
    into: DatabaseAddress
    search_path: str
    seconds: float

    def run(self) -> tuple[LeftOut, ...]:
        """Copy definitions, rows, and what is made of them; what could not be made, named.

        The password of the receiving server is taken from PGPASSFILE; it is on no command line.
        Raises: CommandFailed, VerificationFailed: a table was not filled.
        """
        with self._password_file() as env:
            with taken_as_unproven(self.source):
                for section in _SECTIONS:
                    self._dump(section, env)
            files.write_text(self.host, self.folder / "path.sql", f"{self._path_statement()}\n")
            drop_public_where_gone(self.source, self.into)
            faults, left_out = self._make("pre-data", self._entries("pre-data"), env)
            self._fill(env, faults)
            later = self._entries("post-data")
            last = {number: line for number, line in later.items() if _LAST in f"{line} "}
            made = {number: line for number, line in later.items() if number not in last}
            more, others = self._make("post-data", made, env)
            proven = tuple(prove_conditions(self.source, self.into, self.search_path, self.seconds))
            triggers, rest = self._make("post-data", last, env) if last else ((), ())
            missing = roles_missing([*faults, *more, *triggers])
            roles = [_missing_role(name, count, self.into.user) for name, count in missing.items()]
            unfilled = rows_of_extensions(self.source, self.into, self.seconds)
            return (*roles, *unfilled, *left_out, *others, *proven, *rest)

    def _make(
        self, section: str, entries: dict[int, str], env: dict[str, str]
    ) -> tuple[tuple[Fault, ...], tuple[LeftOut, ...]]:
        """Make these entries of an archive; what fails is tried again with the search_path of the source."""
        self._choose(entries.values())
        argv = [*self._restore(), "-L", self._chosen, self._archive(section)]
        done = self._run(_ours(_line(argv)), env)
        faults = faults_in(done.stderr)
        if (done.status and GONE_ON not in done.stderr) or not all(one.entry in entries for one in faults):
            raise self._failed(argv, done, faults)
        left_out: list[LeftOut] = []
        for one in {one.entry: one for one in faults if not one.of_rights and not one.missing_role}.values():
            line = entries[one.entry]
            if still := [again for again in self._again(section, [line], one.what, env) if not again.missing_role]:
                left_out.append(LeftOut(named(line), still[0].words, to_type(self._script(section))))
        if rights := dict.fromkeys(one.entry for one in faults if one.of_rights):
            # A list of grants is made all at once: each role that is missing is seen only now.
            again = self._again(section, [entries[number] for number in rights], "ACL ", env)
            left_out += [LeftOut("rights", one.words) for one in again if not one.missing_role]
            faults += again
        return faults, tuple(left_out)

    def _again(self, section: str, lines: Sequence[str], what: str, env: dict[str, str]) -> tuple[Fault, ...]:
        """Make entries statement by statement, where names are found as at the source; what still fails."""
        self._choose(lines)
        script = _line([self._program("pg_restore"), "-f", "-", "-L", self._chosen, self._archive(section)])
        psql = _line([self._program("psql"), "-X", "-q", "-f", "-", *_way(self.into)])
        path = shlex.quote(str(self.folder / "path.sql"))
        pipe = f"{{ cat {path} && {script} | grep -avxF {shlex.quote(_NO_PATH)}; }} | {_ours(psql)}"
        done = self._run(f"set -o pipefail; {pipe}", env)  # psql is content with what it gets, be it nothing
        if done.status:
            raise self._failed([psql], done, faults_in(done.stderr))
        return faults_of_psql(done.stderr, what)

    def _script(self, section: str) -> str:
        argv: list[str | Path] = [self._program("pg_restore"), "-f", "-", "-L", self._chosen, self._archive(section)]
        return self.host.run(argv, timeout_seconds=PROMPT_SECONDS).stdout

    def _fill(self, env: dict[str, str], before: Sequence[Fault]) -> None:
        """Copy all rows, large objects and positions of sequences.

        Raises: CommandFailed when one table was not filled.
        """
        dump = [self._program("pg_dump"), "-Fc", "-Z0", "--section=data", *_way(self.source)]
        pipe = f"{_ours(_line(dump), bare=True)} | {_ours(_line(self._restore()))}"
        done = self._run(f'{pipe}; echo "${{PIPESTATUS[@]}}"', env)
        faults = faults_in(done.stderr)
        dumped, loaded = done.stdout.split()[-2:]
        lost = [one for one in faults if not one.of_rows]
        if (
            dumped != "0"
            or (loaded != "0" and GONE_ON not in done.stderr)
            or lost
            or unmade_tables(self.source, self.into)
        ):
            unmade = [one for one in before if not one.missing_role]
            raise self._failed(dump, done, [*unmade, *lost, *faults])
        for fault in faults:
            copy_rows(self.source, self.into, fault.oid, search_path=self.search_path, seconds=self.seconds)

    def _dump(self, section: str, env: dict[str, str]) -> None:
        argv = [
            self._program("pg_dump"),
            "-Fc",
            f"--section={section}",
            "-f",
            self._archive(section),
            *_way(self.source),
        ]
        done = self._run(_ours(_line(argv), bare=True), env)
        if done.status:
            raise self._failed(argv, done, ())

    def _entries(self, section: str) -> dict[int, str]:
        argv: list[str | Path] = [self._program("pg_restore"), "-l", self._archive(section)]
        return listed(self.host.run(argv, timeout_seconds=PROMPT_SECONDS).stdout)

    def _choose(self, lines: Iterable[str]) -> None:
        files.write_text(self.host, self._chosen, "".join(f"{line}\n" for line in lines))

    @property
    def _chosen(self) -> Path:
        return self.folder / "chosen.list"

    def _archive(self, section: str) -> Path:
        return self.folder / f"{section}.dump"

    def _program(self, name: str) -> Path:
        return self.bin_dir / name

    def _restore(self) -> list[str | Path | int]:
        # A tablespace is a directory of the machine that the set came from. Without -v an error does not say of what it is.
        return [self._program("pg_restore"), "-v", "--no-tablespaces", *_way(self.into)]

    def _path_statement(self) -> str:
        path = self.search_path.replace("'", "''")
        return f"SET client_encoding = 'UTF8'; SELECT pg_catalog.set_config('search_path', '{path}', false);"

    def _run(self, line: str, env: dict[str, str]) -> Completed:
        return self.host.run(["bash", "-c", line], timeout_seconds=self.seconds, env=env, check=False)

    def _failed(self, argv: Sequence[object], done: Completed, faults: Sequence[Fault]) -> CommandFailed:
        words = [*errors_of_dump(done.stderr), *(one.words for one in faults)]
        problem = f"copying the database into {self.into.name} failed{f': {words[0]}' if words else ''}"
        return CommandFailed(problem, _NEXT_STEP, tuple(map(str, argv)), done.status, done.last_lines)

    @contextmanager
    def _password_file(self) -> Iterator[dict[str, str]]:
        """The receiving server's password where only its reader sees it, for as long as the block runs."""
        if self.into.password is None:
            yield {"PGPASSFILE": NO_FILE}
            return
        pgpass = self.folder / "pgpass"
        user, password = (
            word.replace("\\", "\\\\").replace(":", "\\:") for word in (self.into.user, self.into.password)
        )
        files.write_text(self.host, pgpass, f"*:*:*:{user}:{password}\n")
        try:
            yield {"PGPASSFILE": str(pgpass)}
        finally:
            # Not checked: an error here would hide the load's own, and the file goes with the copy's folder anyway.
            self.host.run(["rm", "-f", pgpass], timeout_seconds=PROMPT_SECONDS, check=False)


def _way(address: DatabaseAddress) -> list[str | int]:
    return ["-h", address.host, "-p", address.port, "-U", address.user, "-d", _plain(address.name)]


def _plain(name: str) -> str:
    """A database's name that is not taken for a connection string."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def _ours(command: str, *, bare: bool = False) -> str:
    """A command whose sessions run under our settings."""
    options = session_options({"lc_messages": "C"}, bare=bare, superuser=True)  # its errors are read
    return f"PGOPTIONS={shlex.quote(options)} {command}"


def _line(words: Sequence[object]) -> str:
    return shlex.join(map(str, words))


def _missing_role(name: str, objects: int, instead: str) -> LeftOut:
    owned = f"{objects} objects belong to {instead} instead, and " if objects else ""
    quoted = '"' + name.replace('"', '""') + '"'
    return LeftOut(
        f"role {name}", f"is not on this server: {owned}what was granted to it is not", f"CREATE ROLE {quoted}"
    )
