"""Where a call came from: the peer, or what a proxy that the setting trusted_proxies names says of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from yett.server.receive import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HOPS = 16


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """The client's IP address: the last address in X-Forwarded-For that no trusted proxy added, else the peer's.

    Without trusted proxies, or from a peer that is none, the header is not even read.
    """
    peer = scope.get("client")
    address = str(peer[0]) if peer else ""
    if not trusted or not _is_trusted(address, trusted):
        return address
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for hop in reversed(forwarded.decode("latin-1").split(",")[-MAX_HOPS:]):
        hop_address = _parsed(hop.strip())
        if hop_address is None:
            return address
        address = str(hop_address)
        if not _is_trusted(address, trusted):
            return address
    return address


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
