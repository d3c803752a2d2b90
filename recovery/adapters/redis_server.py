"""The cache, asked over its own protocol. Retry is the step's: redis-py's own would count an INCR twice."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recovery.environment import forget_the_shell
from recovery.errors import SettingsInvalid
from recovery.settings import RedisSettings


class RedisServer:
    """One Redis server."""

    def __init__(self, settings: RedisSettings, password: str | None) -> None:
        self._settings, self._password = settings, password

    def problem(self, *, seconds: float) -> str:
        """Why it does not answer a PING in time; nothing when it does.

        Raises: SettingsInvalid when it is not known where it is, or when it answers and does not let us in.
        """
        forget_the_shell()
        if "host" not in self._settings.model_fields_set:
            raise SettingsInvalid("[redis] host is not set", "write where Redis is: host = … in [redis]")
        where = f"{self._settings.host}:{self._settings.port}"
        client = redis.Redis(
            host=self._settings.host,
            port=self._settings.port,
            username=self._settings.user,
            password=self._password,
            ssl=self._settings.tls,
            ssl_ca_certs=str(self._settings.ca_file) if self._settings.ca_file else None,
            socket_connect_timeout=seconds,
            socket_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            with client:
                client.ping()
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise SettingsInvalid(
                f"Redis at {where} does not let us in: {error}", "correct [redis] password"
            ) from error
        except redis.exceptions.AuthenticationWrongNumberOfArgsError as error:
            raise SettingsInvalid(f"Redis at {where} asks for no password", "leave out [redis] password") from error
        except (redis.RedisError, OSError) as error:
            return f"{where}: {' '.join(str(error).split()) or type(error).__name__}"
        return ""
