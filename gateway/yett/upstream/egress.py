"""Where requests may go: the form of a provider's base URL, and names resolved once and pinned to an address."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from yett.errors import ConfigError
from yett.upstream.messages import connect_error

RESOLVE_TTL_S = 30.0


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A provider's base URL, taken apart. `path` has no trailing slash; `authority` is what the Host header says."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and, where it is not the scheme's own, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse_base_url(url: str) -> BaseUrl:
    """`url` taken apart. Raises ConfigError unless it is http(s) with a host and without user, query and fragment."""
    if any(c <= " " or c >= "\x7f" for c in url):
        raise ConfigError("base_url must be printable ASCII without spaces (write other host names in punycode)")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError("base_url is not a valid URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("base_url must start with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise ConfigError("base_url must not contain a user name or password; use api_key")
    if "#" in url or "?" in url:
        raise ConfigError("base_url must not contain a query or a fragment")
    if port == 0:
        raise ConfigError("base_url has port 0")
    default = 443 if parts.scheme == "https" else 80
    return BaseUrl(parts.scheme, parts.hostname, port or default, parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Address:
    """A literal IP address and port; nothing after this is looked up by name again."""

    ip: str
    port: int
    family: int


class Resolver:
    """Resolves names off the loop and keeps the answer for a short time. One lookup per name runs at a time."""

    def __init__(self, ttl_s: float = RESOLVE_TTL_S, clock: Callable[[], float] | None = None) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}
        self._running: dict[tuple[str, int], asyncio.Future[tuple[Address, ...]]] = {}

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of `host`, best first. Raises UpstreamError (upstream_connect) if it has none."""
        try:
            version = ipaddress.ip_address(host).version
            return (Address(host, port, socket.AF_INET if version == 4 else socket.AF_INET6),)
        except ValueError:
            pass  # a name
        key, now = (host, port), (self._clock or asyncio.get_running_loop().time)()
        until, addresses = self._known.get(key, (0.0, ()))
        if addresses and now < until:
            return addresses
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(_look_up(host, port))
            running.add_done_callback(lambda done: self._learn(key, now, done))
        # Shielded: one caller that gives up must not fail the others that wait for the same name.
        return await asyncio.shield(running)

    def forget(self, host: str, port: int) -> None:
        """Look the name up anew next time: its addresses did not answer."""
        self._known.pop((host, port), None)

    def _learn(self, key: tuple[str, int], asked_s: float, done: asyncio.Future[tuple[Address, ...]]) -> None:
        self._running.pop(key, None)
        if not done.cancelled() and done.exception() is None:
            self._known[key] = (asked_s + self._ttl_s, done.result())


async def _look_up(host: str, port: int) -> tuple[Address, ...]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise connect_error("the provider's host name could not be resolved") from error
    addresses = dict.fromkeys(
        Address(str(where[0]), port, family)
        for family, _, _, _, where in found
        if family in {socket.AF_INET, socket.AF_INET6}
    )
    if not addresses:
        raise connect_error("the provider's host name has no address")
    return tuple(addresses)
