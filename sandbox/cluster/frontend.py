"""The frontend's stand-in: one page. `python -I -S frontend.py FOLDER`: it starts in no time."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\nClickView"


def main(folder: str) -> None:
    """Serve until killed; the port that it got stands in the folder."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        Path(folder, "port").write_text(str(listener.getsockname()[1]))
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    client.settimeout(2)
                    client.recv(65536)
                    client.sendall(_ANSWER)
                except OSError:
                    continue


if __name__ == "__main__":
    main(sys.argv[1])
