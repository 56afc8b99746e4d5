"""Reversible pseudonyms: the same value of the same tenant always gets the same tag.

A tag is `<EMAIL_q7k2xm4p>`: the entity's type and 40 bits of a keyed hash (BLAKE2b, RFC 7693, the tenant's key) of type
and value, in base32. Because it is a pure function of tenant and value, resent or trimmed history is redacted byte
for byte as before and provider prompt caches survive. The map back lives in the flow; nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from yett.errors import ConfigError
from yett.surrogates import SURROGATE_PATTERNS, surrogate

TAG_MAX_LEN = 48
TAG_PATTERN = r"<[A-Z][A-Z0-9_]{1,30}_[a-z2-7]{8,13}>"
TAG = re.compile(TAG_PATTERN)
_ANY_FORM = re.compile("|".join((TAG_PATTERN, *SURROGATE_PATTERNS.values())), re.ASCII)


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)


def base32(data: bytes) -> str:
    """The first `len(data) * 8 // 10 * 2` digits of RFC 4648 base32, in lower case: the standard module is slow."""
    bits, number = len(data) * 8, int.from_bytes(data, "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(bits - 10, -1, -10)])


class Vault:
    """Pseudonyms for one tenant. Thread-safe: it keeps nothing but the key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def pseudonym(self, entity: str, value: str, restores: dict[str, str]) -> str:
        """The tag for `value`, entered into `restores` (tag -> value). A 40-bit clash in one flow gets 65 bits."""
        data = f"{entity}\x00{value}".encode("utf-8", "surrogatepass")
        code = base32(hashlib.blake2b(data, digest_size=9, key=self._key).digest())
        tag = f"<{entity}_{code[:8]}>"
        if restores.get(tag, value) != value:
            tag = f"<{entity}_{code[:13]}>"
        restores[tag] = value
        return tag

    def surrogate(self, entity: str, value: str, restores: dict[str, str], texts: Sequence[str]) -> str:
        """A stand-in of the form of `value`, found in none of `texts`, entered into `restores`.

        The tag where the entity has no form. Raises RequestError(pseudonyms_exhausted).
        """

        def is_taken(candidate: str) -> bool:
            return restores.get(candidate, value) != value or any(candidate in text for text in texts)

        found = surrogate(entity, value, self._key, is_taken)
        if found is None:
            return self.pseudonym(entity, value, restores)
        restores[found] = value
        return found

    def identity(self, value: str) -> str:
        """What a provider sees in place of an end-user id: stable for this tenant, meaningless elsewhere."""
        return hmac.new(self._key, f"identity\x00{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
            :32
        ]


class Vaults:
    """The vaults of all tenants, their keys derived from one master key."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._vaults: dict[str, Vault] = {}

    def of(self, tenant: str) -> Vault:
        """The vault of `tenant`."""
        vault = self._vaults.get(tenant)
        if vault is None:
            vault = self._vaults[tenant] = Vault(hmac.digest(self._master, b"tenant\x00" + tenant.encode(), "sha256"))
        return vault


def mark(entity: str) -> str:
    """The one-way replacement of a value that nobody gets back (secrets, embeddings): `<SECRET>`."""
    return f"<{entity}>"


def pseudonyms(text: str, restores: Mapping[str, str]) -> Iterator[re.Match[str]]:
    """Where pseudonyms that `restores` knows stand in `text`: whole ones, as the scan of a stream finds them."""
    form = TAG if all(one.startswith("<") for one in restores) else _ANY_FORM
    return (found for found in form.finditer(text) if found.group() in restores)


def load_master_key(path: Path) -> bytes:
    """The 32-byte master key in `path`, made on first use (mode 0600). Raises ConfigError if it is damaged."""
    if not path.exists():
        import os
        import secrets

        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError as error:
        raise ConfigError("the vault key is not hexadecimal", str(path)) from error
    if len(key) != 32:
        raise ConfigError("the vault key must be 32 bytes", str(path))
    return key
