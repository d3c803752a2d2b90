"""Redis of a sandbox, with a password."""

from __future__ import annotations

import operator
import shutil

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.errors import SettingsInvalid, TargetUnreachable
from recovery.waiting import wait_until
from sandbox.layout import PATIENCE_SECONDS, Sandbox
from sandbox.services import describe, start

_CONFIGURATION = """bind 127.0.0.1
port {port}
dir {directory}
logfile {directory}/log
requirepass {password}
daemonize no
appendonly yes
save ""
"""


def make_redis(sandbox: Sandbox) -> None:
    """Start Redis and wait until it answers.

    Raises: SettingsInvalid when it is not installed, TargetUnreachable when it does not answer.
    """
    program = shutil.which("redis-server")
    if not program:
        raise SettingsInvalid("redis-server is not installed", "apt-get install redis-server")
    host, directory = Host(sandbox.prefix), sandbox.folder / "redis"
    host.run(["mkdir", "-p", "-m", "0700", directory], timeout_seconds=PROMPT_SECONDS)
    file = directory / "redis.conf"
    host.run(["install", "-m", "0600", "/dev/null", file], timeout_seconds=PROMPT_SECONDS)
    file.write_text(
        _CONFIGURATION.format(port=sandbox.ports["redis"], directory=directory, password=sandbox.secret("redis"))
    )
    start(describe(sandbox, "redis", [*sandbox.prefix, program, file], directory=directory))
    _wait(sandbox)


def _wait(sandbox: Sandbox) -> None:
    client = redis.Redis(
        host="127.0.0.1",
        port=sandbox.ports["redis"],
        password=sandbox.secret("redis"),
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )

    def trouble() -> str:
        try:
            client.ping()
        except (redis.RedisError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    if left := wait_until(trouble, PATIENCE_SECONDS, so=operator.not_):
        raise TargetUnreachable(f"Redis does not answer: {left}", "see redis/log and services/redis/log in the folder")
