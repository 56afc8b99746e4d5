"""Who is calling: API keys, kept as hashes in a file, each bound to a principal.

A key is `yett_ID_SECRET`: the id finds the entry, the secret is 256 random bits, the file holds sha256 of the whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import string
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field

from yett import strictyaml
from yett.errors import ConfigError, RequestError
from yett.flow import Principal
from yett.reload import Reloading
from yett.shape import Shape, check

PREFIX = "yett_"
ID_LENGTH = 10
MAX_KEY_BYTES = 128


def _label(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", text):
        raise ValueError("a name of up to 64 letters, digits and . _ @ - is expected")
    return text


Label = Annotated[str, AfterValidator(_label)]


class KeyPrincipal(Shape):
    """Whose key it is. `roles` are what the role policy speaks about."""

    id: Label
    tenant: Label = "default"
    roles: tuple[Label, ...] = ()
    agent: Label | Literal[""] = ""


class KeyEntry(Shape):
    """One key of the file: everything but the key."""

    id: str = Field(pattern=r"^[a-z0-9]{8,12}$")
    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    principal: KeyPrincipal
    created: str = Field(default="", max_length=40)
    revoked: bool = Field(default=False, strict=True)


class KeyFile(Shape):
    """The whole file."""

    keys: tuple[KeyEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes
    principal: Principal | None


class KeyRing:
    """All keys of one version of the file, ready to authenticate. Immutable."""

    __slots__ = ("_absent", "_known", "entries")

    def __init__(self, entries: tuple[KeyEntry, ...]) -> None:
        self.entries = entries
        self._absent = _Known(secrets.token_bytes(32), None)
        self._known = {entry.id.encode(): _known(entry) for entry in entries}

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """The keys in the file at `path`. Raises ConfigError with `file:line`."""
        return cls(read_keys(path))

    def authenticate(self, authorization: bytes | None) -> Principal:
        """The principal of the bearer key in an Authorization header.

        Raises one and the same RequestError (401 `invalid_api_key`), after the same work, for a header that is missing
        or malformed and for a key that is unknown or revoked.
        """
        key = b""
        if authorization is not None and authorization[:7].lower() == b"bearer ":
            key = authorization[7:].strip(b" ")
            if len(key) > MAX_KEY_BYTES:
                key = b""
        known = self._known.get(key[5 : key.find(b"_", 5)], self._absent)
        same = hmac.compare_digest(hashlib.sha256(key).digest(), known.digest)
        if not same or known.principal is None:
            raise RequestError(
                "No valid API key: send `Authorization: Bearer yett_...` with a key of this gateway.",
                status=401,
                code="invalid_api_key",
            )
        return known.principal

    def valid(self, key_id: str) -> bool:
        """Whether the key with this id is in the ring and not revoked."""
        known = self._known.get(key_id.encode())
        return known is not None and known.principal is not None


class KeySource(Reloading[KeyRing]):
    """The key file of a running gateway: `current`, `rejected`, `poll()`; a revoked key is gone after one poll."""

    __slots__ = ()

    def __init__(self, path: Path) -> None:
        """Load `path` at once. Raises ConfigError."""
        super().__init__(lambda: KeyRing.load(path), lambda: [path])


def read_keys(path: Path) -> tuple[KeyEntry, ...]:
    """The checked entries of a key file. Raises ConfigError with `file:line`."""
    document = strictyaml.load(path)
    entries = check(KeyFile, document).keys
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.id in seen:
            raise ConfigError(f"two keys have the id {entry.id!r}", document.where(("keys", index, "id")))
        seen.add(entry.id)
    return entries


def create_key(path: Path, agent: str, role: str, tenant: str = "default") -> str:
    """Add a new key for `agent` to the file, made when missing, and return it; it is kept nowhere else.

    The principal is named after the agent: a second key of the same agent is the same principal. Raises ConfigError.
    """
    for what, name in (("agent", agent), ("role", role), ("tenant", tenant)):
        try:
            _label(name)
        except ValueError as error:
            raise ConfigError(f"{what}: {error}") from None
    with _locked(path):
        entries = read_keys(path) if path.exists() else ()
        key_id = _fresh_id({entry.id for entry in entries})
        key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
        added = KeyEntry(
            id=key_id,
            hash=f"sha256:{hashlib.sha256(key.encode()).hexdigest()}",
            principal=KeyPrincipal(id=agent, tenant=tenant, roles=(role,), agent=agent),
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        _write(path, (*entries, added))
    return key


def revoke_key(path: Path, key_id: str) -> None:
    """Mark a key as revoked. Raises ConfigError if the file has no such key."""
    with _locked(path):
        entries = read_keys(path)
        if all(entry.id != key_id for entry in entries):
            hint = strictyaml.nearest(key_id, [entry.id for entry in entries])
            raise ConfigError(f"no key with this id{hint}", str(path))
        changed = (e.model_copy(update={"revoked": True}) if e.id == key_id else e for e in entries)
        _write(path, tuple(changed))


def _known(entry: KeyEntry) -> _Known:
    who = entry.principal
    principal = Principal(id=who.id, tenant=who.tenant, agent=who.agent, roles=who.roles, key_id=entry.id)
    return _Known(bytes.fromhex(entry.hash.removeprefix("sha256:")), None if entry.revoked else principal)


def _fresh_id(taken: set[str]) -> str:
    letters, rest = string.ascii_lowercase, string.ascii_lowercase + string.digits
    while True:
        key_id = secrets.choice(letters) + "".join(secrets.choice(rest) for _ in range(ID_LENGTH - 1))
        if key_id not in taken:
            return key_id


def _write(path: Path, entries: tuple[KeyEntry, ...]) -> None:
    """Replace the file in one step, readable by its owner only. The comment at its head stays."""
    rows = [entry.model_dump(mode="json", exclude_unset=True) for entry in entries]
    text = _head(path) + yaml.dump({"keys": rows}, Dumper=_dumper(), sort_keys=False, width=120)
    target = path.resolve()
    fd, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _dumper() -> type[yaml.SafeDumper]:
    """Quotes every string that begins with a digit: YAML's versions disagree on which of them are numbers."""

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if value[:1].isdigit() else None)

    Dumper.add_representer(str, text)
    return Dumper


def _head(path: Path) -> str:
    """The comment and blank lines that the file begins with."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            break
        kept.append(line)
    return "".join(kept)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands that change the same file take turns: the lock is on its folder, which stays when it is replaced."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"cannot open the folder: {error.strerror}", str(path.parent)) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise ConfigError(f"cannot write the file: {error.strerror}", str(path)) from None
    finally:
        os.close(fd)
