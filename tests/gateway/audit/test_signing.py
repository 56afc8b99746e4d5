"""Checkpoints on disk: appended whole, published once, tried again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from helpers.audit import BROKEN, Faults
from yett.audit.checkpoint import open_note, public_bytes, split_notes
from yett.audit.log import Tree, leaf_hash
from yett.audit.repair import CHECKPOINTS, RESUME, End
from yett.audit.segment import OsFile
from yett.audit.signing import Signer

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def disk() -> Faults:
    return Faults(only=CHECKPOINTS)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "0").mkdir()
    return tmp_path / "0"


def an_end(size: int) -> End:
    tree = Tree()
    for n in range(size):
        tree.append(leaf_hash(bytes([n])))
    return End(tree, origin="log/0")


@pytest.fixture
def signer(own: Path) -> Iterator[Signer]:
    made = Signer(own, "log/0", KEY, OsFile)
    yield made
    made.close()


def test_checkpoints_are_appended_and_hold(signer: Signer, own: Path) -> None:
    for size in (1, 2, 5):
        signer.sign(an_end(size))
    data = (own / CHECKPOINTS).read_bytes()
    notes, whole = split_notes(data)
    assert whole == len(data)
    assert [open_note(note, [public_bytes(KEY)]).size for note in notes] == [1, 2, 5]
    assert (own / RESUME).exists()


def test_the_verifier_key_is_published_once(signer: Signer, own: Path) -> None:
    signer.sign(an_end(1))
    signer.close()
    Signer(own, "log/0", KEY, OsFile).sign(an_end(2))
    assert (own.parent / "audit.pub").read_text() == signer.vkey + "\n"


@pytest.mark.parametrize("fault", ["write_errno", "short_by", "sync_errno"])
def test_a_checkpoint_that_fails_leaves_nothing_and_is_tried_again(own: Path, disk: Faults, fault: str) -> None:
    signer = Signer(own, "log/0", KEY, disk.factory)
    signer.sign(an_end(1))
    before = (own / CHECKPOINTS).read_bytes()
    setattr(disk, fault, BROKEN)
    for _ in range(2):
        with pytest.raises(OSError, match=r"."):
            signer.sign(an_end(2))
        assert (own / CHECKPOINTS).read_bytes() == before
    setattr(disk, fault, 0)
    signer.sign(an_end(2))
    signer.close()
    notes, _ = split_notes((own / CHECKPOINTS).read_bytes())
    assert [open_note(note, [public_bytes(KEY)]).size for note in notes] == [1, 2]
