"""Pseudonyms that keep the form of what they stand for, for answers that must fit a schema.

A tag such as `<EMAIL_q7k2xm4p>` is no e-mail address, so a model that may only write one cannot repeat it. A surrogate
is one, from a range that can belong to nobody: `.invalid` (RFC 2606), 555-01xx telephone numbers, cards and accounts of
issuers and countries that are not assigned, social security numbers that are never given out, documentation addresses
(RFC 5737, RFC 3849). Like a tag it is a keyed hash of type and value, so the same value gets the same surrogate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from yett.errors import RequestError

# Every form below, for the scan that finds them again; nothing else is ever written here.
SURROGATE_PATTERNS: Mapping[str, str] = {
    "EMAIL": r"\bx[a-z2-7]{12}@pseudonym\.invalid\b",
    "PHONE": r"\+1[2-9][0-9]{2}55501[0-9]{2}\b",
    "CREDIT_CARD": r"\b9999[0-9]{12}\b",
    "IBAN": r"\bQZ[0-9]{20}\b",
    "US_SSN": r"\b9[0-9]{2}-[0-4][0-9]-[0-9]{4}\b",
    "IP": r"\b(?:192\.0\.2|198\.51\.100|203\.0\.113)\.[0-9]{1,3}\b|\b2001:db8(?::[0-9a-f]{4}){6}\b",
}
SURROGATE_MAX_LEN = 48

_ATTEMPTS = 4096  # every address of the smallest range comes up among so many, but for a few
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_DOCUMENTATION = ("192.0.2", "198.51.100", "203.0.113")

Draw = Callable[[int, str], str]  # a number drawn from the hash, and the value it stands for


def surrogate(entity: str, value: str, key: bytes, is_taken: Callable[[str], bool]) -> str | None:
    """The stand-in for `value`, none that `is_taken`; None where `entity` has no form of its own.

    Raises RequestError(pseudonyms_exhausted) if the range has no room left.
    """
    draw = _DRAWS.get(entity)
    if draw is None:
        return None
    for attempt in range(_ATTEMPTS):
        data = f"surrogate\x00{entity}\x00{attempt}\x00{value}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.blake2b(data, digest_size=16, key=key).digest(), "big")
        candidate = draw(number, value)
        if candidate != value and not is_taken(candidate):
            return candidate
    message = f"the request holds more values of type {entity} than there are stand-ins for them"
    raise RequestError(message, status=413, code="pseudonyms_exhausted")


def _email(number: int, value: str) -> str:
    del value
    return "x" + "".join(_LETTERS[number >> shift & 31] for shift in range(0, 60, 5)) + "@pseudonym.invalid"


def _phone(number: int, value: str) -> str:
    del value
    area, line = divmod(number % 80_000, 100)
    return f"+1{area + 200}55501{line:02}"


def _card(number: int, value: str) -> str:
    del value
    digits = f"9999{number % 10**11:011}"
    return digits + str(_luhn_digit(digits))


def _iban(number: int, value: str) -> str:
    del value
    account = f"{number % 10**18:018}"
    return f"QZ{98 - int(account + '263500') % 97:02}{account}"  # Q = 26, Z = 35: ISO 13616


def _ssn(number: int, value: str) -> str:
    del value
    rest, serial = divmod(number, 9999)
    area, group = divmod(rest % 4900, 49)
    return f"9{area:02}-{group + 1:02}-{serial + 1:04}"


def _ip(number: int, value: str) -> str:
    if ":" in value:
        return "2001:db8:" + ":".join(f"{number >> shift & 0xFFFF:04x}" for shift in range(0, 96, 16))
    block, host = divmod(number % 762, 254)
    return f"{_DOCUMENTATION[block]}.{host + 1}"


def _luhn_digit(digits: str) -> int:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - index % 2)
        total += value - 9 if value > 9 else value
    return -total % 10


_DRAWS: Mapping[str, Draw] = {
    "EMAIL": _email,
    "PHONE": _phone,
    "CREDIT_CARD": _card,
    "IBAN": _iban,
    "US_SSN": _ssn,
    "IP": _ip,
}
