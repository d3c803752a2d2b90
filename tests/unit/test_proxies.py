"""The shell's proxies stand in nobody's way, and stay where something is reached through them."""

from __future__ import annotations

import os
import urllib.request

import httpx
import pytest
from botocore.utils import get_environ_proxies

from recovery.proxies import with_direct_way_to

AWS = "https://s3.eu-west-1.amazonaws.com/bucket"


@pytest.fixture(autouse=True)
def no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def enter(monkeypatch: pytest.MonkeyPatch, host: str = "127.0.0.1", **shell: str) -> None:
    for name, value in with_direct_way_to(host, shell).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("proxy", ["http://proxy:3128", "proxy:3128", "https://user:secret@proxy"])
def test_aws_is_reached_through_the_proxy_and_our_server_is_not(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    enter(monkeypatch, "10.1.2.3", HTTPS_PROXY=proxy, http_proxy=proxy, NO_PROXY="corp.example, 10.0.0.0/8")
    assert get_environ_proxies(AWS)["https"] == proxy
    for ours in ("http://127.0.0.1:4200/api", "http://localhost:4200/api", "http://10.1.2.3:4200/api"):
        assert get_environ_proxies(ours) == {}
        assert urllib.request.proxy_bypass(httpx.URL(ours).netloc.decode())
    assert get_environ_proxies("http://db.corp.example") == {}
    httpx.Client().close()


@pytest.mark.parametrize(
    "proxy",
    ["socks5://proxy:1", "http://[", "http://proxy:port", "http://proxy:0", "://", " ", "http://pröxy_x:1", "p\x01:1"],
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_left_out(monkeypatch: pytest.MonkeyPatch, name: str, proxy: str) -> None:
    enter(monkeypatch, **{name: proxy})
    assert name not in os.environ
    httpx.Client().close()


@pytest.mark.parametrize(
    "listed",
    [
        *("[::1]", "a:b", "http://[", "fe80::1, 10.0.0.0/8 ,.corp,*.example", "%%%", ",,", "fe80::1%eth0"),
        *("10.0.0.0/8,fd00::/8", "::1/128", "über_x", "a\tb", "host:99999", "*.:", "::ffff:1.2.3.4"),
    ],
)
def test_a_list_of_direct_ways_that_cannot_be_read_stops_nobody(monkeypatch: pytest.MonkeyPatch, listed: str) -> None:
    enter(monkeypatch, HTTPS_PROXY="http://proxy:1", no_proxy=listed)
    httpx.Client().close()
    assert get_environ_proxies(AWS)["https"] == "http://proxy:1"


def test_who_wants_no_proxy_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, HTTPS_PROXY="http://proxy:1", NO_PROXY="*")
    assert get_environ_proxies(AWS) == {}
