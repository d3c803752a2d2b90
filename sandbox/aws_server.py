"""AWS over HTTPS: moto behind a server that ends TLS as pgBackRest demands.

`python -m sandbox.aws_server FOLDER NAME…` starts one process per name (s3-east, s3-west, aws), so
that one region can die alone. moto is imported once, before the processes part.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import moto.route53.urls
import moto.s3.urls
import moto.secretsmanager.urls  # noqa: F401
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from moto.server import DomainDispatcherApplication, create_backend_app

from sandbox.layout import Sandbox, load
from sandbox.processes import note_pid
from sandbox.services import find

_THREADS = 8


def main(folder: str, *names: str) -> None:
    """Start a process for each name and end; they live on."""
    sandbox = load(Path(folder))
    for name in names:
        if os.fork() == 0:
            os.setsid()
            _become(sandbox, name)
            serve(sandbox, name)
            os._exit(0)


def _become(sandbox: Sandbox, name: str) -> None:
    service = find(sandbox, name)
    log = os.open(service.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    note_pid(service.pid_file, os.getpid())


def serve(sandbox: Sandbox, name: str) -> None:
    """Answer until killed."""
    server = Server(
        ("127.0.0.1", sandbox.ports[name]),
        DomainDispatcherApplication(create_backend_app),
        numthreads=_THREADS,
        request_queue_size=128,
        max=_THREADS * 4,
    )
    server.ssl_adapter = BuiltinSSLAdapter(str(sandbox.tls_dir / "server.pem"), str(sandbox.tls_dir / "server.key"))
    server.safe_start()


if __name__ == "__main__":
    main(*sys.argv[1:])
