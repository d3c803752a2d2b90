"""Readiness and liveness: the kubelet asks each container over HTTP, beside its other work."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from sandbox.cluster import pace
from sandbox.cluster.answers import Object

_POOL = ThreadPoolExecutor(12, thread_name_prefix="probe")


@dataclass
class Probe:
    """One probe of one run of a container."""

    specification: Object
    began: float
    due: float = 0.0
    failures: int = 0
    passed_once: bool = False
    said: str = ""
    _asked: Future[str] | None = None

    def look(self, port: int | None) -> bool | None:
        """Whether it holds (True) or has failed too often (False); None when there is nothing new."""
        if self._asked is None:
            if time.monotonic() >= self.due and port is not None:
                path = self.specification["httpGet"].get("path", "/")
                self._asked = _POOL.submit(_ask, port, path, float(self.specification["timeoutSeconds"]))
            return None
        if not self._asked.done():
            return None
        self.said, self._asked = self._asked.result(), None
        return self._judge()

    def _judge(self) -> bool | None:
        now = time.monotonic()
        starting = not self.passed_once and now - self.began < pace.FIRST_LOOKS_LAST_SECONDS
        period = self.specification["periodSeconds"] * pace.PROBES
        if not self.said:
            self.failures, self.passed_once, self.due = 0, True, now + period
            return True
        self.due = now + (min(pace.FIRST_LOOKS_SECONDS, period) if starting else period)
        self.failures += 0 if starting else 1
        return False if self.failures >= self.specification["failureThreshold"] else None


def _ask(port: int, path: str, seconds: float) -> str:
    """What is wrong, in a kubelet's words; empty when all is well."""
    url = f"http://127.0.0.1:{port}{path}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"User-Agent": "kube-probe/1.36", "Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except ConnectionRefusedError:
        return f'Get "{url}": dial tcp 127.0.0.1:{port}: connect: connection refused'
    except (OSError, http.client.HTTPException) as error:
        return f'Get "{url}": {type(error).__name__}'
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
