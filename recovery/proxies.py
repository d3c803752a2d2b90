"""Proxies that the shell names: kept for what is reached through them, never asked for a server of this machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Where an AWS machine asks for the keys of its own role: on the machine, too.
_METADATA = ("169.254.169.254",)
_NUMBERS = re.compile(r"\d+(\.\d+){3}")
_NAME = re.compile(r"[\w.*-]+(:\d+)?", re.ASCII)


def with_direct_way_to(host: str, environment: Mapping[str, str]) -> dict[str, str]:
    """This environment, in which nobody asks a proxy for this host or for the loopback address.

    A site may reach AWS only through a proxy, so those that can be used stay. Prefect's client stops at one
    that it cannot use, whatever it wants to reach: those are left out.
    (https://www.python-httpx.org/environment_variables/)
    """
    kept = {name: value for name, value in environment.items() if _may_stay(name.lower(), value)}
    named = [*_hosts(kept.get("NO_PROXY", "")), *_hosts(kept.get("no_proxy", "")), *_LOOPBACK, *_METADATA, host]
    direct = "*" if "*" in named else ",".join(dict.fromkeys(named))  # Python's own library knows * only alone
    return kept | dict.fromkeys(("NO_PROXY", "no_proxy"), direct)


def _may_stay(name: str, value: str) -> bool:
    if name == "all_proxy":  # httpx alone reads it, and nothing that we ask with it is far away
        return False
    return name not in ("http_proxy", "https_proxy") or _is_usable(value)


def _is_usable(proxy: str) -> bool:
    if not (proxy.isascii() and proxy.isprintable() and proxy == proxy.strip()):
        return False
    try:
        where = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host = where.hostname or ""
        if ":" in host or "[" in where.netloc or _NUMBERS.fullmatch(host):
            ipaddress.ip_address(host)
        return where.scheme in ("http", "https") and bool(host.strip()) and where.port != 0
    except ValueError:  # a port that is no number, half a bracket
        return False


def _hosts(no_proxy: str) -> Iterator[str]:
    """What can be read of the list; one entry that cannot be read would stop every client, too."""
    for entry in (one.strip().strip("[]") for one in no_proxy.split(",")):
        if _NAME.fullmatch(entry) or _is_network(entry):
            yield entry


def _is_network(entry: str) -> bool:
    """An address, or a network of such. Of IPv6 nobody reads networks, and Prefect's client stops at them."""
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return network.version == 4 or "/" not in entry
