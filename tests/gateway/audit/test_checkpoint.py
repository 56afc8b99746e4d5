"""Checkpoints and signed notes, against Go's known answers and against every changed byte."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from yett.audit.checkpoint import (
    BadCheckpoint,
    Checkpoint,
    _signed,
    _unbase64,
    format_vkey,
    key_id,
    load_or_create_signing_key,
    open_note,
    parse_vkey,
    public_bytes,
    sign,
    split_notes,
)
from yett.errors import ConfigError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_bytes(KEY)
CHECKPOINT = Checkpoint("example.com/log", 20852163, bytes(range(32)))

# The example in the documentation of Go's golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_gos_known_answer_key_and_signature_hold() -> None:
    name, public = parse_vkey(GO_VKEY)
    blob = _unbase64(GO_SIGNATURE)
    assert (name, blob[:4]) == ("PeterNeumann", key_id(name, public))
    assert _signed(public, blob[4:], GO_TEXT.encode())
    assert format_vkey(name, public) == GO_VKEY


def test_a_note_has_the_c2sp_form() -> None:
    lines = sign(CHECKPOINT, KEY).decode().split("\n")
    assert lines[:4] == ["example.com/log", "20852163", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert lines[4].startswith("— example.com/log ")
    assert lines[5:] == [""]


def test_a_note_gives_its_checkpoint_back() -> None:
    assert open_note(sign(CHECKPOINT, KEY), [PUBLIC]) == CHECKPOINT


def test_signatures_of_others_are_ignored_and_an_old_key_still_verifies() -> None:
    other = Ed25519PrivateKey.generate()
    witness = b"\xe2\x80\x94 witness.example " + sign(CHECKPOINT, other).rsplit(b" ", 1)[1]
    assert open_note(sign(CHECKPOINT, KEY) + witness, [public_bytes(other), PUBLIC]) == CHECKPOINT


def test_every_flipped_bit_is_noticed() -> None:
    note = sign(CHECKPOINT, KEY)
    undetected = 0
    for place in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[place] ^= 1 << bit
            try:
                open_note(bytes(changed), [PUBLIC])
                undetected += 1
            except BadCheckpoint:
                pass
    assert undetected == 0


GOOD = sign(CHECKPOINT, KEY)
BROKEN = {
    "empty": b"",
    "no signature": GOOD.partition(b"\n\n")[0] + b"\n\n",
    "not complete": GOOD[:-1],
    "not utf-8": b"\xff" + GOOD,
    "leading zero": sign(Checkpoint("o", 1, bytes(32)), KEY).replace(b"\n1\n", b"\n01\n"),
    "no number": sign(Checkpoint("o", 1, bytes(32)), KEY).replace(b"\n1\n", b"\n-1\n"),
    "huge number": sign(Checkpoint("o", 1, bytes(32)), KEY).replace(b"\n1\n", b"\n" + b"9" * 5000 + b"\n"),
    "unicode digits": sign(Checkpoint("o", 1, bytes(32)), KEY).replace(b"\n1\n", "\n\u0661\n".encode()),
    "short root": sign(Checkpoint("o", 1, bytes(31)), KEY),
    "another key": sign(CHECKPOINT, Ed25519PrivateKey.generate()),
    "no dash": GOOD.replace("— ".encode(), b"- "),
}


@pytest.mark.parametrize("note", BROKEN.values(), ids=BROKEN.keys())
def test_a_malformed_or_foreign_note_is_refused(note: bytes) -> None:
    with pytest.raises(BadCheckpoint):
        open_note(note, [PUBLIC])


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", GO_VKEY[:-2], GO_VKEY.replace("Peter", "Petra")])
def test_a_malformed_vkey_is_refused(text: str) -> None:
    with pytest.raises(BadCheckpoint):
        parse_vkey(text)


def test_notes_in_a_file_are_told_apart_and_half_a_note_is_left_over() -> None:
    note = sign(CHECKPOINT, KEY)
    data = (note + b"\n") * 3
    for cut in range(1, len(note) + 1):
        notes, whole = split_notes(data[:-cut])
        assert (notes, whole) == ([note, note], 2 * len(note) + 2)
    assert split_notes(data) == ([note] * 3, len(data))


def test_the_signing_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.pem"
    first, second = load_or_create_signing_key(path), load_or_create_signing_key(path)
    assert public_bytes(first) == public_bytes(second)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["audit.pem"]


def _rsa() -> bytes:
    return generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("make", [lambda: b"", lambda: b"\x00garbage", _rsa], ids=["empty", "garbage", "rsa"])
def test_a_damaged_signing_key_stops_the_start_and_is_left_alone(tmp_path: Path, make) -> None:
    path = tmp_path / "audit.pem"
    path.write_bytes(content := make())
    with pytest.raises(ConfigError, match=r"audit\.pem"):
        load_or_create_signing_key(path)
    assert path.read_bytes() == content


def test_a_signing_key_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "audit.pem").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_or_create_signing_key(tmp_path / "audit.pem")
