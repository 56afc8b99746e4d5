"""Code where data belongs: SQL, shell, script and template fragments, path traversal and internal URLs.

Meant for tool arguments, where a name or a search term is expected and a fragment that breaks out of its place is an
attack. Each pattern asks for a combination that ordinary arguments do not have: a quote and a comparison that is always
true, a command behind a separator. Tools that take code (`run_sql`, `bash`) get rules of their own in policy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from yett.detector import Detector, Pattern, Validator
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.code_fragment_patterns import HIT, MISS, PATTERNS, Kind

_INTERNAL = re.compile(
    r"(?:.*\.)?(?:localhost|localdomain|local|internal|intranet|corp|home|lan|localtest\.me|lvh\.me|nip\.io|sslip\.io"
    r"|kubernetes\.default(?:\.svc)?|svc)"
)


class CodeFragments:
    """Finds fragments of SQL, shell and scripts, path traversal and internal URLs in tool arguments."""

    name = "code_fragments"
    optional = True

    class Config(BaseModel):
        """`kinds`: what to look for. Nothing by default: the plugin is switched on by naming kinds."""

        model_config = ConfigDict(extra="forbid", frozen=True)
        kinds: tuple[Kind, ...] = Field(default=())

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """One detector for each kind."""
        for kind in dict.fromkeys(self.config.kinds):
            yield _detector(kind)


def _detector(kind: Kind) -> Detector:
    group = 1 if kind == "ssrf_url" else 0
    check: Validator | None = is_internal if kind == "ssrf_url" else None
    return Detector(
        name=f"code.{kind}",
        code=f"code.{kind}",
        entity="CODE",
        patterns=tuple(Pattern(f"{kind} {at}", regex, 0.8, group, True) for at, regex in enumerate(PATTERNS[kind])),
        validator=check,
        reversible=False,
        max_len=1024,
        default=Action.ALLOW,
        hit=HIT[kind],
        miss=MISS[kind],
    )


def is_internal(authority: str) -> bool:
    """Whether a URL's authority names a host that only the gateway's own network can reach."""
    host = unquote(authority).rpartition("@")[2].strip().lower()
    host = host[1:].partition("]")[0] if host.startswith("[") else re.sub(r":\d*$", "", host)
    host = host.strip(".").partition("%")[0]
    address = _address(host)
    if address is None:
        return _INTERNAL.fullmatch(host) is not None or ("." not in host and host.isalnum())
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return not (mapped or address).is_global


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` writes, also in the forms of inet_aton: decimal, octal, hex, fewer than four parts."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    parts = host.split(".")
    if len(parts) > 4 or not all(re.fullmatch(r"0x[0-9a-f]*|\d+", part) for part in parts):
        return None
    numbers = [_number(part) for part in parts]
    if None in numbers:
        return None
    *high, low = [number for number in numbers if number is not None]
    if any(number > 255 for number in high) or low >= 1 << (8 * (4 - len(high))):
        return None
    return ipaddress.IPv4Address(sum(number << (24 - 8 * at) for at, number in enumerate(high)) + low)


def _number(digits: str) -> int | None:
    try:
        if digits.startswith("0x"):
            return int(digits[2:] or "0", 16)
        return int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
    except ValueError:
        return None
