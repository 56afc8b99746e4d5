"""Base URLs are refused unless they are plain; names are looked up once, kept for a while, and shared."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from yett.errors import ConfigError, UpstreamError
from yett.upstream.egress import Address, BaseUrl, Resolver, parse_base_url

GOOD: dict[str, tuple[BaseUrl, str]] = {
    "https://api.openai.com/v1": (BaseUrl("https", "api.openai.com", 443, "/v1"), "api.openai.com"),
    "http://127.0.0.1:8000/": (BaseUrl("http", "127.0.0.1", 8000, ""), "127.0.0.1:8000"),
    "http://[::1]:81/a/b/": (BaseUrl("http", "::1", 81, "/a/b"), "[::1]:81"),
    "HTTPS://Host.Example:443": (BaseUrl("https", "host.example", 443, ""), "host.example"),
    "http://localhost": (BaseUrl("http", "localhost", 80, ""), "localhost"),
}
BAD = {
    "empty": "",
    "no scheme": "api.openai.com/v1",
    "other scheme": "ftp://host/",
    "file": "file:///etc/passwd",
    "no host": "http:///v1",
    "user": "https://user@host/",
    "user and password": "https://user:hunter2@host/",
    "empty user": "https://@host/",
    "query": "https://host/v1?key=hunter2",
    "empty query": "https://host/v1?",
    "fragment": "https://host/v1#x",
    "port 0": "https://host:0/",
    "port too large": "https://host:70000/",
    "port not a number": "https://host:hunter2/",
    "line feed": "https://host/\nv1",
    "space": "https://host/v 1",
    "not ASCII": "https://h\u00f6st/",
    "bad IPv6": "https://[::1/",
}


@pytest.mark.parametrize("url", GOOD)
def test_good_base_urls(url: str) -> None:
    base = parse_base_url(url)
    assert (base, base.authority) == GOOD[url]
    assert base.tls == url.lower().startswith("https")


@pytest.mark.parametrize("case", BAD)
def test_bad_base_urls(case: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_base_url(BAD[case])
    assert "hunter2" not in str(caught.value)


class Lookup:
    """Stands in for the loop's getaddrinfo."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.asked = 0
        self.answers = list(answers)
        self.gate = asyncio.Event()
        self.gate.set()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self)

    async def __call__(self, host: str, port: int, **_: object) -> list[Any]:
        self.asked += 1
        await self.gate.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answer]


async def test_names_are_kept_for_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = Lookup(monkeypatch, ["192.0.2.1", "192.0.2.2", "192.0.2.1"], ["192.0.2.3"], ["192.0.2.4"])
    now = 100.0
    resolver = Resolver(ttl_s=30, clock=lambda: now)
    first = tuple(Address(ip, 443, socket.AF_INET) for ip in ("192.0.2.1", "192.0.2.2"))
    assert await resolver.resolve("host", 443) == first
    now = 129.9
    assert await resolver.resolve("host", 443) == first
    now = 130.0
    assert (await resolver.resolve("host", 443))[0].ip == "192.0.2.3"
    resolver.forget("host", 443)
    assert (await resolver.resolve("host", 443))[0].ip == "192.0.2.4"
    assert lookup.asked == 3


async def test_one_lookup_at_a_time_and_one_caller_giving_up_does_not_fail_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookup = Lookup(monkeypatch, ["192.0.2.1"])
    lookup.gate.clear()
    resolver = Resolver()
    loop = asyncio.get_running_loop()
    gives_up, waits = (loop.create_task(resolver.resolve("host", 443)) for _ in range(2))
    await asyncio.sleep(0)
    gives_up.cancel()
    await asyncio.sleep(0)
    lookup.gate.set()
    assert (await waits)[0].ip == "192.0.2.1"
    assert (gives_up.cancelled(), lookup.asked) == (True, 1)


@pytest.mark.parametrize("answer", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), []])
async def test_failed_lookups_are_errors_and_not_kept(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    Lookup(monkeypatch, answer, ["192.0.2.1"])
    resolver = Resolver()
    with pytest.raises(UpstreamError) as caught:
        await resolver.resolve("secret-host", 443)
    assert caught.value.code == "upstream_connect"
    assert "secret-host" not in caught.value.message
    assert (await resolver.resolve("secret-host", 443))[0].ip == "192.0.2.1"


@pytest.mark.parametrize(("ip", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_literal_addresses_are_never_looked_up(monkeypatch: pytest.MonkeyPatch, ip: str, family: int) -> None:
    lookup = Lookup(monkeypatch)
    assert await Resolver().resolve(ip, 1) == (Address(ip, 1, family),)
    assert lookup.asked == 0
