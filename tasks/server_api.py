"""The Prefect server of this run, asked directly: once, with a short deadline. Its own client would try for minutes."""

from __future__ import annotations

from typing import Any

from tasks.step import flow_run_id

_DEADLINE_SECONDS = 15.0  # long enough for a busy machine


class ServerTrouble(Exception):
    """The server did not take it. `silent`: it gave no answer in time, and the next question would wait as long."""

    def __init__(self, problem: str, silent: bool) -> None:
        self.silent = silent
        super().__init__(problem)


def ask_server(
    method: str, path: str, body: dict[str, Any] | None = None, *, seconds: float = _DEADLINE_SECONDS
) -> Any:
    """One request to the server of this run; its answer as JSON, None when it has none.

    Raises: ServerTrouble.
    """
    import httpx
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    user, _, password = (api.auth_string.get_secret_value() if api.auth_string else "").partition(":")
    try:
        answer = httpx.request(
            method,
            f"{api.url}{path}",
            json=body,
            auth=(user, password) if user else None,
            timeout=seconds,
            trust_env=False,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ServerTrouble(f"{type(error).__name__}: {error}", isinstance(error, httpx.TimeoutException)) from error


def of_this_run(path: str) -> str:
    """A path below this flow run in the API."""
    return f"/flow_runs/{flow_run_id()}{path}"
