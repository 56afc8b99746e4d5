r"""Signed tree heads in the C2SP forms: tlog-checkpoint text as a signed note with one Ed25519 signature.

    origin\n size\n base64(root)\n \n — origin base64(key id || signature)\n

The origin names one log and is also the key's name. A verifier key (vkey) is `name+key id+base64(0x01 || public key)`.
Any tool that reads signed notes (Go's sumdb/note, witnesses) reads these.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from yett.errors import ConfigError

_ED25519 = b"\x01"
_DASH = "— "


class BadCheckpoint(ValueError):
    """These bytes are no checkpoint, or not one of ours."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log `origin` had `size` records with this `root`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public half."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes by which a signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def format_vkey(name: str, public: bytes) -> str:
    """The verifier key in text form, to be given to auditors."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def parse_vkey(text: str) -> tuple[str, bytes]:
    """Name and public key of a vkey. Raises BadCheckpoint."""
    name, _, rest = text.strip().partition("+")
    hint, _, encoded = rest.partition("+")
    blob = _unbase64(encoded)
    if not name or len(blob) != 33 or blob[:1] != _ED25519 or hint != key_id(name, blob[1:]).hex():
        raise BadCheckpoint("not an Ed25519 verifier key")
    return name, blob[1:]


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """The signed note of a checkpoint."""
    text = checkpoint.text()
    blob = key_id(checkpoint.origin, public_bytes(key)) + key.sign(text.encode())
    return f"{text}\n{_DASH}{checkpoint.origin} {base64.b64encode(blob).decode()}\n".encode()


def open_note(note: bytes, publics: Iterable[bytes]) -> Checkpoint:
    """The checkpoint in a signed note, if one of the `publics` signed it in the origin's name. Raises BadCheckpoint.

    Signature lines of other keys (witnesses, a rotated key) are ignored, as the note format demands.
    """
    try:
        text, gap, signatures = note.decode().rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise BadCheckpoint("the note is not UTF-8") from error
    if not gap or not signatures.endswith("\n"):
        raise BadCheckpoint("the note is not complete")
    text += "\n"
    checkpoint = _parse_text(text)
    known = {key_id(checkpoint.origin, public): public for public in publics}
    for line in signatures[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_DASH).rpartition(" ")
        if not line.startswith(_DASH) or not name:
            raise BadCheckpoint("a signature line is malformed")
        blob = _unbase64(encoded)
        if name == checkpoint.origin and blob[:4] in known and _signed(known[blob[:4]], blob[4:], text.encode()):
            return checkpoint
    raise BadCheckpoint("no known key has signed this checkpoint")


def split_notes(data: bytes) -> tuple[list[bytes], int]:
    """The notes of an append-only file of notes (each followed by an empty line), and the bytes they take up.

    What stands after that offset is a note that was not written to its end.
    """
    notes: list[bytes] = []
    start = 0
    while (gap := data.find(b"\n\n", start)) >= 0 and (end := data.find(b"\n\n", gap + 2)) >= 0:
        notes.append(data[start : end + 1])
        start = end + 2
    return notes, start


def load_or_create_signing_key(path: Path) -> Ed25519PrivateKey:
    """The log's signing key, made on first use (PKCS #8 PEM, mode 0600). Raises ConfigError if it is damaged."""
    try:
        if not path.exists():
            _create_key(path)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"the audit signing key cannot be read ({error.strerror})", str(path)) from error
    except (ValueError, TypeError) as error:
        raise ConfigError("the audit signing key is damaged or encrypted", str(path)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("the audit signing key must be an Ed25519 key", str(path))
    return key


def _create_key(path: Path) -> None:
    """Write a fresh key under another name first: a crash never leaves half a key, two processes agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _parse_text(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]):
        raise BadCheckpoint("a checkpoint has three lines")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdigit()) or (size != "0" and size[0] == "0") or len(size) > 19:
        raise BadCheckpoint("the tree size is malformed")
    blob = _unbase64(root)
    if len(blob) != 32:
        raise BadCheckpoint("the root hash is malformed")
    return Checkpoint(origin, int(size), blob)


def _signed(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _unbase64(text: str) -> bytes:
    """Strict base64: exactly one text stands for each byte string, so no byte of a note can change unseen."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCheckpoint("malformed base64") from error
    if base64.b64encode(blob).decode() != text:
        raise BadCheckpoint("malformed base64")
    return blob
