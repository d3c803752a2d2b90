"""docker, docker-compose, systemctl and journalctl of the tests: NOT the real ones.

Each says what the real one said where it could be run (docker 20.10.24 and docker-compose 1.29.2 of
Debian 12, see test_service_containers.py) or what its manual says (systemd: it does not run on the
machines where these tests do). What is looked at is one JSON file; an action replaces what the next
looks see by what the test wrote down for it.

Run as: stand_in_program.py STATE_FILE PROGRAM ARGUMENTS…
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

State = dict[str, Any]


def main(file: Path, program: str, arguments: list[str]) -> int:
    """One call; its words are noted for the test."""
    state: State = json.loads(file.read_text())
    with file.with_name("calls").open("a") as calls:
        calls.write(" ".join([program, *arguments]) + "\n")
    if state.get("says"):  # the whole program is of no use: no daemon, no rights
        return fail(state["says"])
    status = {"docker": docker, "docker-compose": compose, "systemctl": systemctl, "journalctl": journalctl}[program](
        state, arguments
    )
    file.write_text(json.dumps(state))
    return status


def docker(state: State, arguments: list[str]) -> int:
    """The docker command line."""
    match arguments:
        case ["compose", *rest]:
            if not state.get("plugin"):
                return fail("docker: 'compose' is not a docker command.\nSee 'docker --help'")
            return compose(state, rest)
        case ["container", "inspect", *names]:
            return inspect(state, names)
        case ["logs", "--timestamps", "--tail", count, *_, name]:
            return logs(state, int(count), name)
        case [("start" | "stop" | "restart" | "unpause") as action, *rest]:
            names = rest[2:] if rest[0] == "-t" else rest
            return max(act(state, action, name) for name in names)
    return fail(f"docker: unknown command: {arguments}")


def inspect(state: State, names: list[str]) -> int:
    """What it prints is cut to what is read."""
    found = []
    for name in names:
        if name not in state["containers"]:
            print("[]")
            return fail(f"Error: No such container: {name}")
        found.append(next_look(state["containers"][name]))
    print(json.dumps(found))
    return 0


def logs(state: State, count: int, name: str) -> int:
    """The last lines of both streams together, each on its own stream."""
    lines = sorted(state["containers"][name]["log"], key=lambda line: line[1])
    for stream, line in lines[-count:]:
        print(line, file=sys.stdout if stream == "out" else sys.stderr)
    return 0


def act(state: State, action: str, name: str) -> int:
    """Start, stop, …: as the test wrote it down."""
    if name not in state["containers"]:
        return fail(f"Error response from daemon: No such container: {name}")
    container = state["containers"][name]
    container["looks"] = container.get(action, container["looks"])
    if said := container.get(f"{action} says"):
        return fail(said)
    print(name)
    return 0


def compose(state: State, arguments: list[str]) -> int:
    """Compose, of either version."""
    if arguments == ["version"]:
        return 0
    match [word for word in arguments if word not in ("-f", state["file"], "-p", "clickview")]:
        case ["ps", "--all", "--quiet", name]:
            if name not in state["services"]:
                return fail(f"No such service: {name}")
            print("\n".join(state["services"][name]))
        case ["up", "--detach", "--no-deps", "--no-recreate", name]:
            state["services"][name] = state["made"][name]
            for container in state["made"][name]:
                act(state, "start", container)
        case other:
            return fail(f"compose: {other}")
    return 0


def systemctl(state: State, arguments: list[str]) -> int:
    """systemctl show | start | stop | restart | reset-failed."""
    match arguments:
        case ["show", "--no-pager", _, "--", name]:
            unknown = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}
            unit = state["units"].get(name)
            for key, value in (next_look(unit) if unit else unknown).items():
                print(f"{key}={value}")
            return 0
        case ["--no-ask-password", action, *names]:
            for name in names:
                unit = state["units"][name]
                unit["looks"] = unit.get(action, unit["looks"])
                if said := unit.get(f"{action} says"):
                    return fail(said)
            return 0
    return fail(f"Unknown command verb {arguments}.")


def journalctl(state: State, arguments: list[str]) -> int:
    """journalctl -u UNIT… -n COUNT -o short-iso --no-pager [--since …]."""
    if hint := state.get("hint"):
        print(hint, file=sys.stderr)
    lines = state.get("journal", [])[-int(arguments[arguments.index("-n") + 1]) :]
    print("\n".join(lines) if lines else "-- No entries --")
    return 0


def next_look(thing: dict[str, Any]) -> Any:
    """What is seen now; the last one stays."""
    looks = thing["looks"]
    return looks.pop(0) if len(looks) > 1 else looks[0]


def fail(said: str) -> int:
    """End as a program does that complains."""
    print(said, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
