"""The backup store that pgBackRest keeps: list, back up, annotate, verify, expire."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping

from recovery.adapters import files
from recovery.adapters.pgbackrest import configuration, information
from recovery.adapters.process import PROMPT_SECONDS, Completed, Host, failed
from recovery.adapters.secrets import Secrets
from recovery.errors import Busy, CommandFailed, RecoveryError, VerificationFailed
from recovery.facts import ArchivedCluster, BackupKind, BackupSet, Progress, RepoFacts
from recovery.settings import Settings
from recovery.wal import segment_bytes_of

_COPIED = re.compile(r"backup file .*\(([\d.]+)(B|KB|MB|GB|TB), ([\d.]+)%\)")
_LABEL = re.compile(r"new backup label = (\S+)")
_LOCKED = 50
_BLOCK_INCREMENTAL_SINCE = (2, 46)
_NO_STANDBY = (56, 82)
_BUSY_POLL_SECONDS = 2.0
# pgBackRest asks a silent repository so often before it gives up: twice for a request, each over two connections.
_ATTEMPTS = 4
_REQUESTS = 10  # of a small question: files of information, each with its copy, and a few directories
# What is silent pgBackRest ends by itself. A list of 200,000 segments takes minutes, and comes in one piece: nobody
# outside can tell its work from a hang, so this only catches a program that stands still itself.
_LISTING_SECONDS = 3600.0
_ARCHIVED_SECONDS = 300


class PgBackRest:
    """pgBackRest with the configuration generated for this site."""

    def __init__(self, settings: Settings, host: Host, secrets: Secrets) -> None:
        self._settings, self._host, self._secrets = settings, host, secrets
        self.places = configuration.live_places(settings)

    # What is there ------------------------------------------------------------------------------

    def read_sets(self, repo: int) -> tuple[BackupSet, ...]:
        """The backup sets of one repository, oldest first."""
        return information.read_sets(self._info(repo), repo, self._settings.backup.stanza)

    def read_cluster(self, repo: int) -> ArchivedCluster | None:
        """Whose backups a repository takes now; None when it has no stanza, or when there is no configuration yet."""
        if not files.exists(self._host, self.places.config_file):
            return None
        return information.read_cluster(self._info(repo), repo, self._settings.backup.stanza)

    def _info(self, repo: int) -> str:
        return self._ask("info", "--output=json", f"--repo={repo}").stdout

    def read_repo(self, repo: int, segment_bytes: int, of_set: str | None = None) -> RepoFacts:
        """Everything one repository holds of a cluster: sets, WAL segments, timeline histories.

        It is the cluster whose backups it takes now, or that of the named set: the stanza may have had another before.

        A repository that cannot be read is a fact, not an error: `problem` says why.
        """
        known = self._settings.backup.repos[repo - 1]
        try:
            told = self._info(repo)
            everything = information.read_sets(told, repo, self._settings.backup.stanza)
            now = information.read_cluster(told, repo, self._settings.backup.stanza)
            asked = next((one.cluster for one in everything if one.label == of_set), now.number if now else 1)
            sets = tuple(one for one in everything if one.cluster == asked)
            # What the sets show wins: with the primary gone the size of a segment is only assumed.
            shown = (segment_bytes_of(one.start_lsn, one.wal_start) for one in sets)
            segment_bytes = next((size for size in shown if size), segment_bytes)
            listing = information.read_archive(
                self._ask(
                    *("repo-ls", f"--repo={repo}", "--recurse", "--output=json"),
                    f"archive/{self._settings.backup.stanza}",
                    seconds=_LISTING_SECONDS,
                ).stdout,
                segment_bytes,
                asked,
            )
            histories = tuple(
                information.read_history(timeline, self._repo_file(repo, path), arrived)
                for timeline, (path, arrived) in sorted(listing.history_files.items())
            )
        except RecoveryError as error:
            return RepoFacts(repo, known.bucket, known.region, problem=error.problem, segment_bytes=segment_bytes)
        return RepoFacts(
            repo,
            known.bucket,
            known.region,
            None,
            sets,
            listing.segments,
            histories,
            segment_bytes=segment_bytes,
            other_sets=tuple(one for one in everything if one.cluster != asked),
        )

    def verify(self, repo: int) -> tuple[str, ...]:
        """Read every file of a repository and compare its checksum; what is damaged, a line each."""
        answer = self._run(
            "verify",
            f"--repo={repo}",
            "--output=text",
            "--verbose",
            seconds=self._settings.backup.timeout_seconds,
            level="warn",
        )
        return tuple(dict.fromkeys(information.damage_found(answer.stdout)))

    # Change something ---------------------------------------------------------------------------

    def write_configuration(self, through: str) -> None:
        """Generate the configuration, the secrets file and the password file. Idempotent.

        `through`: the database through which pgBackRest looks at the servers.
        """
        backup = self._settings.backup
        for directory in self.places.directories:
            files.make_directory(self._host, directory)
        reveal = self._secrets.reveal
        secrets = configuration.secrets_configuration(backup, backup.repos, reveal)
        files.write_text(self._host, self.places.secrets_file, secrets)
        files.write_text(self._host, self.places.pgpass_file, configuration.pgpass(self._settings.database, reveal))
        text = self._live_configuration(through)
        files.write_text(self._host, self.places.config_file, text, mode="0640")

    def configuration_is_current(self, through: str) -> bool:
        """Whether the generated files are what the settings say today, for servers seen through this database."""
        backup, reveal = self._settings.backup, self._secrets.reveal
        wanted = {
            self.places.config_file: self._live_configuration(through),
            self.places.secrets_file: configuration.secrets_configuration(backup, backup.repos, reveal),
            self.places.pgpass_file: configuration.pgpass(self._settings.database, reveal),
        }
        return all(files.read_text(self._host, path) == text for path, text in wanted.items())

    def server_settings(self) -> dict[str, str]:
        """What the database server must be told so that its WAL comes here."""
        return {
            "wal_level": "replica",
            "track_commit_timestamp": "on",
            "archive_mode": "on",
            "archive_command": configuration.archive_command(self._settings.backup, self.places),
            "archive_timeout": str(self._settings.backup.archive_timeout_seconds),
        }

    def is_own_archive_command(self, command: str) -> bool:
        """Whether this archive_command is one of ours, of today or of before."""
        return configuration.is_own_archive_command(command, self.places)

    def create_stanza(self) -> None:
        """Make the stanza in every repository. Idempotent. Waits for the archiver, which holds the lock, too."""
        self._when_free(lambda: self._run("stanza-create", seconds=300))

    def create_stanza_in(self, repo: int, through: str) -> None:
        """Make the stanza in one repository. Idempotent.

        stanza-create goes through all repositories of its configuration, and stops where another cluster is: so this
        one gets a configuration of its own, for as long as it takes.
        """
        alone = PgBackRest(configuration.of_one_repository(self._settings, repo), self._host, self._secrets)
        try:
            alone.write_configuration(through)
            alone.create_stanza()
        finally:
            files.remove_tree(self._host, alone.places.folder.parent, inside=self.places.folder)

    def upgrade_stanza(self) -> None:
        """Have every repository take the backups of the cluster that runs now, beside those of the one before.

        Point of no return: the stanza does not go back to the old cluster.
        """
        self._when_free(lambda: self._run("stanza-upgrade", seconds=300))

    def forget_pushed_wal(self) -> None:
        """Forget which WAL segments have arrived, so that each is pushed (again). Idempotent.

        archive-push notes in the spool what its companion has pushed, by the segment's name alone. Of another cluster, or
        for repositories that were elsewhere, that note makes it say of a segment that it arrived which never did.
        """
        noted = self.places.spool / "archive" / self._settings.backup.stanza / "out"
        files.remove_tree(self._host, noted, inside=self.places.folder)

    def check_archiving(self) -> None:
        """Prove that a WAL segment reaches every repository. Writes a restore point and switches WAL."""
        # Longer than an archive-push that began before the stanza was there: it waits for its own time-out, and
        # the server's archiver a minute more before it tries again.
        self._run("check", f"--archive-timeout={_ARCHIVED_SECONDS}", seconds=_ARCHIVED_SECONDS + 60)

    def back_up(
        self, kind: BackupKind, repo: int, annotations: Mapping[str, str], on_progress: Callable[[Progress], None]
    ) -> tuple[str, bool]:
        """Take a backup into one repository; returns its label and whether the standby gave the files.

        Waits for another backup to end, up to lock_wait_seconds. Goes on from the primary when the
        standby cannot serve.
        """
        standby = self._settings.standby is not None and self._settings.standby.data_dir is not None
        options = [f"--type={kind}", f"--repo={repo}"]
        options += [f"--annotation={key}={value}" for key, value in annotations.items()]
        if standby:
            try:
                return self._back_up([*options, "--backup-standby"], on_progress), True
            except CommandFailed as error:
                if error.status not in _NO_STANDBY:
                    raise
        return self._back_up(options, on_progress), False

    def _back_up(self, options: list[str], on_progress: Callable[[Progress], None]) -> str:
        watch, seconds = _BackupWatch(on_progress), self._settings.backup.timeout_seconds
        self._when_free(
            lambda: self._run("backup", *options, seconds=seconds, on_line=watch.line),
            on_wait=lambda: on_progress(Progress("waiting for another backup to end")),
        )
        if not watch.label:
            raise VerificationFailed("pgBackRest ended well but named no new set", "run: recover backup list")
        return watch.label

    def _when_free(self, run: Callable[[], object], *, on_wait: Callable[[], None] = lambda: None) -> None:
        """Run a command again while another one holds its lock, up to lock_wait_seconds."""
        deadline = time.monotonic() + self._settings.backup.lock_wait_seconds
        while True:
            try:
                run()
                return
            except CommandFailed as error:
                if error.status != _LOCKED:
                    raise
                if time.monotonic() > deadline:
                    raise Busy(
                        "another backup or expire is still running on this stanza", "wait for it, then run this again"
                    ) from error
                on_wait()
                time.sleep(_BUSY_POLL_SECONDS)

    def annotate(self, label: str, repo: int, annotations: Mapping[str, str]) -> None:
        """Note something on a set. Idempotent; an empty value takes the note away."""
        options = [f"--annotation={key}={value}" for key, value in annotations.items()]
        self._run("annotate", f"--set={label}", f"--repo={repo}", *options, seconds=120)

    def expire(self, repo: int, *, label: str | None = None, kept_fulls: int | None = None) -> None:
        """Drop one set with all that depends on it, or all but the newest full sets and what stands on them.

        Point of no return: the files are deleted.
        """
        options = [f"--set={label}"] if label else []
        if kept_fulls is not None:
            options.append(f"--repo{repo}-retention-full={kept_fulls}")
        self._run("expire", f"--repo={repo}", *options, seconds=self._settings.backup.timeout_seconds)

    def version(self) -> tuple[int, int]:
        """The installed version of pgBackRest.

        Raises: SettingsInvalid when it is not installed.
        """
        said = self._host.run(["pgbackrest", "version"], timeout_seconds=PROMPT_SECONDS).stdout
        found = re.search(r"(\d+)\.(\d+)", said)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def _live_configuration(self, through: str) -> str:
        by_block = self.version() >= _BLOCK_INCREMENTAL_SINCE
        return configuration.live_configuration(self._settings, block_incremental=by_block, through=through)

    # Running it ---------------------------------------------------------------------------------

    def _repo_file(self, repo: int, path: str) -> str:
        return self._ask("repo-get", f"--repo={repo}", f"archive/{self._settings.backup.stanza}/{path}").stdout

    def _ask(self, command: str, *options: str, seconds: float | None = None) -> Completed:
        answer = self._settings.backup.answer_seconds
        patience = question_seconds(answer) if seconds is None else seconds
        return self._run(command, silence_option(answer), *options, seconds=patience, level="off")

    def _run(
        self,
        command: str,
        *options: str,
        seconds: float,
        level: str = "detail",
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        # repo-ls and repo-get refuse a stanza in some versions; their path names it.
        stanza = [] if command in ("repo-ls", "repo-get") else [f"--stanza={self._settings.backup.stanza}"]
        argv = pgbackrest(self.places, command, [*stanza, f"--log-level-console={level}", *_errors(level), *options])
        return run_pgbackrest(self._host, argv, self.places, seconds=seconds, on_line=on_line)


def _errors(level: str) -> list[str]:
    """A command whose output is read writes its errors apart from it."""
    return ["--log-level-stderr=error"] if level == "off" else []


def silence_option(answer_seconds: float) -> str:
    """How long a repository may be silent, all attempts together: a slow one is read to its end."""
    return f"--io-timeout={answer_seconds / _ATTEMPTS:g}"


def question_seconds(answer_seconds: float) -> float:
    """The deadline of a question that takes a few requests, each of which may take so long."""
    return answer_seconds * _REQUESTS


def pgbackrest(places: configuration.Places, command: str, options: Iterable[str]) -> list[str]:
    """The argument list of a pgBackRest command."""
    where = [f"--config={places.config_file}", f"--config-include-path={places.include_dir}"]
    return ["pgbackrest", *where, command, *options]


def run_pgbackrest(
    host: Host,
    argv: list[str],
    places: configuration.Places,
    *,
    seconds: float,
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Run pgBackRest; a failure says what to do about its likely cause."""
    environment = {"PGPASSFILE": str(places.pgpass_file)}
    completed = host.run(argv, timeout_seconds=seconds, env=environment, on_line=on_line, check=False)
    if completed.status:
        raise information.explain(failed(argv, completed), completed.stdout + completed.stderr)
    return completed


class _BackupWatch:
    """Reads the progress and the label from a backup's own words."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self.label = ""
        self._on_progress = on_progress
        self._begin = time.monotonic()
        self._copied = 0.0

    def line(self, text: str) -> None:
        if found := _LABEL.search(text):
            self.label = found[1]
        elif found := _COPIED.search(text):
            self._copied += float(found[1]) * _UNITS[found[2]]
            self._report(float(found[3]))

    def _report(self, percent: float) -> None:
        total = self._copied * 100 / percent if percent else 0
        rate = self._copied / max(0.1, time.monotonic() - self._begin)
        self._on_progress(Progress("backup", int(self._copied), int(total), rate))


_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
