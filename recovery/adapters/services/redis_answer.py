"""Whether a Redis answers, and which process it says it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ANSWER_SECONDS = 3.0  # one question; who waits asks again


@dataclass(frozen=True)
class Endpoint:
    """Where it should answer, and the password that it wants."""

    host: str
    port: int
    password: str | None

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """What came back. One that refuses our password is there, too."""

    there: bool
    loading: bool = False
    pid: int | None = None
    said: str = ""


def ask(endpoint: Endpoint) -> Answer:
    """Ask a Redis who it is; once, without the library's own retries."""
    import redis

    client = _client(endpoint)
    try:
        told: dict[str, Any] = client.info("server")
        return Answer(True, pid=int(told["process_id"]))
    except redis.BusyLoadingError:
        return Answer(False, loading=True)
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        return Answer(True, said=f"it answers, and refuses us: {error}")
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        return Answer(False, said=str(error))
    except redis.ResponseError as error:
        return Answer(True, said=f"it answers: {error}")
    except (redis.RedisError, KeyError, ValueError) as error:
        return Answer(False, said=f"what answers there is no Redis: {error}")
    finally:
        client.close()


def _client(endpoint: Endpoint) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis(
        host=endpoint.host,
        port=endpoint.port,
        password=endpoint.password,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
