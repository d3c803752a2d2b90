"""A TCP proxy in front of each S3 region, and on the pods' way to database and cache: slow, or cut.

`python -m sandbox.proxy FOLDER`. What it does is read from `faults/proxy-SIDE` in the folder, at
every piece of data: `pass`, `delay MILLISECONDS` (before each piece) or `cut` (connections are reset).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from pathlib import Path

from sandbox.layout import REGIONS, Sandbox, load

# Where it listens, and what is behind it.
_ROUTES = {side: (f"proxy-{side}", f"s3-{side}") for side in REGIONS} | {
    "pods-primary": ("pods-primary", "primary"),
    "pods-redis": ("pods-redis", "redis"),
}
_PIECE = 256 * 1024
_RESET = struct.pack("ii", 1, 0)


def main(folder: str) -> None:
    """Serve all of them until killed."""
    sandbox = load(Path(folder))
    threads = [threading.Thread(target=Proxy(sandbox, side).serve) for side in _ROUTES]
    for thread in threads:
        thread.start()


def control_file(sandbox: Sandbox, side: str) -> Path:
    """Where the proxy of a region, or of the pods' way, reads what to do."""
    return sandbox.faults_dir / f"proxy-{side}"


class Proxy:
    """Copies bytes between clients and one server."""

    def __init__(self, sandbox: Sandbox, side: str) -> None:
        self._control = control_file(sandbox, side)
        self._listen, self._server = (("127.0.0.1", sandbox.ports[name]) for name in _ROUTES[side])

    def serve(self) -> None:
        """Accept until killed."""
        with socket.create_server(self._listen, backlog=128) as listener:
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        if self._read_order() == "cut":
            reset(client)
            return
        try:
            server = socket.create_connection(self._server, timeout=10)
        except OSError:
            reset(client)
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
        self._copy(client, server)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_PIECE):
                order = self._read_order()
                if order == "cut":
                    reset(source)
                    reset(sink)
                    return
                if order.startswith("delay"):
                    time.sleep(float(order.split()[1]) / 1000)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            reset(source)
            reset(sink)

    def _read_order(self) -> str:
        try:
            return self._control.read_text().strip() or "pass"
        except FileNotFoundError:
            return "pass"


def reset(connection: socket.socket) -> None:
    """End a connection at once, as a cut line does."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
