"""Pseudonyms are stable per tenant, restorable, and not forgeable across tenants."""

import base64

import pytest

from yett.errors import ConfigError
from yett.vault import TAG, TAG_MAX_LEN, Vault, Vaults, base32, load_master_key, mark, pseudonyms


def test_the_same_value_of_the_same_tenant_has_the_same_tag():
    vault = Vault(b"k" * 32)
    first, second = {}, {}
    assert vault.pseudonym("EMAIL", "a@b.example", first) == vault.pseudonym("EMAIL", "a@b.example", second)
    assert first == second


def test_tags_match_their_own_pattern_and_length():
    tag = Vault(b"k" * 32).pseudonym("URL_CREDENTIALS", "x", {})
    assert TAG.fullmatch(tag)
    assert len(tag) <= TAG_MAX_LEN


def test_tenants_do_not_share_tags():
    vaults = Vaults(b"m" * 32)
    assert vaults.of("a").pseudonym("EMAIL", "x", {}) != vaults.of("b").pseudonym("EMAIL", "x", {})
    assert vaults.of("a") is vaults.of("a")


def test_a_clash_in_one_flow_gets_a_longer_tag():
    vault = Vault(b"k" * 32)
    tag = vault.pseudonym("EMAIL", "x", {})
    restores = {tag: "somebody else"}
    longer = vault.pseudonym("EMAIL", "x", restores)
    assert longer != tag
    assert restores == {tag: "somebody else", longer: "x"}
    assert TAG.fullmatch(longer)


def test_known_pseudonyms_alone_are_found_again():
    restores: dict[str, str] = {}
    tag = Vault(b"k" * 32).pseudonym("EMAIL", "a@b.example", restores)
    assert [found.group() for found in pseudonyms(f"to {tag}, not <EMAIL_aaaaaaaa>", restores)] == [tag]
    assert list(pseudonyms("no tag", restores)) == []


def test_marks_cannot_be_restored():
    assert TAG.search(mark("SECRET")) is None


def test_identities_are_stable_and_say_nothing():
    vault = Vault(b"k" * 32)
    assert vault.identity("user-7") == vault.identity("user-7")
    assert "user-7" not in vault.identity("user-7")


def test_the_master_key_is_made_once_with_mode_0600(tmp_path):
    path = tmp_path / "keys" / "vault.key"
    first = load_master_key(path)
    assert load_master_key(path) == first
    assert len(first) == 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["zz", "00ff", ""], ids=["not hex", "short", "empty"])
def test_a_damaged_master_key_is_refused(tmp_path, damage):
    path = tmp_path / "vault.key"
    path.write_text(damage)
    with pytest.raises(ConfigError, match=r"vault\.key"):
        load_master_key(path)


@pytest.mark.parametrize("data", [bytes(9), bytes(range(9)), b"\xff" * 9, b"yett-gate", b"12345"])
def test_base32_is_the_standard_one_in_lower_case(data):
    whole = base64.b32encode(data).decode().lower().rstrip("=")
    digits = len(data) * 8 // 10 * 2
    assert base32(data) == whole[:digits]
