"""Ports are given to one folder at a time, and come back."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recovery import ports
from recovery.errors import SettingsInvalid
from recovery.ports import RANGE, bind_error, is_free, release_ports, reserve_ports


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "registry.json"


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def test_who_comes_at_the_same_time_gets_other_ports(
    tmp_path: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens yet on what was chosen a moment ago; so few are left that they would meet."""
    monkeypatch.setattr(ports, "RANGE", range(20000, 20040))
    owners = [folder(tmp_path, f"site-{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda one: reserve_ports(one, ["a", "b", "c"], registry=registry), owners))
    taken = [port for one in given for port in one.values()]
    assert len(set(taken)) == 24


def test_ports_come_back_when_they_are_given_back_or_their_folder_is_gone(
    tmp_path: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = next(port for port in RANGE if is_free(port))
    monkeypatch.setattr(ports, "RANGE", range(free, free + 1))
    first, second = folder(tmp_path, "first"), folder(tmp_path, "second")
    assert reserve_ports(first, ["a"], registry=registry) == {"a": free}
    with pytest.raises(SettingsInvalid, match="no TCP port is free"):
        reserve_ports(second, ["a"], registry=registry)
    release_ports(first, registry=registry)
    assert reserve_ports(second, ["a"], registry=registry) == {"a": free}
    second.rmdir()
    assert reserve_ports(first, ["a"], registry=registry) == {"a": free}
    release_ports(first, registry=registry)
    assert not registry.exists()


def test_a_port_that_somebody_listens_on_is_not_given(
    tmp_path: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(ports, "RANGE", range(port, port + 1))
        with pytest.raises(SettingsInvalid, match="no TCP port is free"):
            reserve_ports(folder(tmp_path, "site"), ["a"], registry=registry)


def test_a_registry_that_somebody_else_laid_there_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2**31 - 7)
    shared = ports._usual_registry(tmp_path)
    assert shared == Path(f"/tmp/clickview-ports-{2**31 - 7}.json")
    shared.touch()  # by us, who are not that user
    try:
        assert ports._usual_registry(tmp_path) == tmp_path / "ports.json"
    finally:
        shared.unlink()


def test_the_range_lies_outside_the_kernels_own() -> None:
    """A server whose port is in it may find it taken by somebody's outgoing connection."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert lowest >= RANGE.stop


def test_a_full_disk_does_not_cost_what_was_reserved(
    tmp_path: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = folder(tmp_path, "first")
    given = reserve_ports(owner, ["a"], registry=registry)

    def full(_reserved: object) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(ports.json, "dumps", full)
    with pytest.raises(OSError, match="No space left"):
        reserve_ports(folder(tmp_path, "second"), ["a"], registry=registry)
    monkeypatch.undo()
    assert str(given["a"]) in registry.read_text()


def test_who_can_write_beside_the_registry_cannot_stop_it(tmp_path: Path, registry: Path) -> None:
    """The name of the new one could be guessed, and in /tmp everybody can take a name."""
    (tmp_path / "registry.new").mkdir()
    assert reserve_ports(folder(tmp_path, "site"), ["a"], registry=registry)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["registry.json", "registry.new", "site"]
    assert registry.stat().st_mode & 0o777 == 0o600


def test_a_machine_without_such_addresses_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(ports.socket, "socket", none)
    error = bind_error(socket.AF_INET6, ("::1", 1, 0, 0))
    assert error is not None
    assert error.errno == errno.EAFNOSUPPORT
