"""What makes a candidate real: checksums, address ranges, calendars. Validators are pure and never raise.

True = certain, False = not a match, None = keep the pattern's score (see `yett.detector.Validator`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from stdnum import bitcoin as stdnum_bitcoin
from stdnum import numdb

_GAP = r"[ .\-\xa0]{1,3}"
_CARD_SHAPE = re.compile(
    rf"\d{{12,19}}|\d{{4}}(?:{_GAP}\d{{4}}){{3}}(?:{_GAP}\d{{3}})?|\d{{4}}{_GAP}\d{{6}}{_GAP}\d{{4,5}}"
)
_NOT_DIGITS = bytes(sorted(set(range(256)) - set(b"0123456789")))
_NOT_LETTERS_OR_DIGITS = bytes(code for code in range(256) if not (code < 128 and chr(code).isalnum()))
_LUHN_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")  # each digit doubled, its digits added
_LETTER_VALUES = {ord("A") + n: str(10 + n) for n in range(26)}
_IBAN_PART = re.compile(r"(\d+)!([nac])")
_IBAN_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
_OCTETS = frozenset(map(str, range(256)))
_PUBLIC_FIRST_OCTETS = frozenset(map(str, range(1, 224))) - {"10", "100", "127", "169", "172", "192", "198", "203"}
_FILE_ENDINGS = frozenset(
    {"png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "css", "js", "html", "json", "yaml", "yml", "txt"}
)
_FILE_TLDS = frozenset({"cc", "cs", "doc", "java", "mk", "ml", "mov", "pl", "ps", "py", "rs", "sh", "so", "md", "zip"})
_HOST = re.compile(r"(https?://|www\.)?[A-Za-z0-9.\-]*?\.([A-Za-z]+|xn--[A-Za-z0-9\-]+)(?![A-Za-z0-9.\-])")
_UUID = re.compile(r".{14}[1-8].{4}[89ABab]")
_PLACEHOLDER = re.compile(r"[$<{\[%]|\*\*|(?i:x{3,}:|:x{3,}|\.\.\.)")
_NO_LICENCE = re.compile(r"\d{5}-\d{4}|\d{4}-\d\d-\d\d|\d{3}-\d\d-\d{4}|\d{3}-\d{3}-\d{4}")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BC_PREFIX = [3, 3, 0, 2, 3]  # the human-readable part "bc", expanded as BIP-173 says
_BECH32_CHECKSUMS = frozenset({1, 0x2BC830A3})  # BIP-173, BIP-350


def digits_of(text: str) -> bytes:
    """The ASCII digits in `text`."""
    return text.encode("ascii", "ignore").translate(None, _NOT_DIGITS)


def luhn(digits: bytes) -> bool:
    """The check digit of payment cards, for ASCII digits. In place of stdnum's: a tenth of the time, same answers."""
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_LUHN_DOUBLED))
    return bool(digits) and (total - 48 * len(digits)) % 10 == 0


def email(text: str) -> bool | None:
    """Not an address: `git@host` of clone URLs, and file names with an at sign (`logo@2x.png`)."""
    local, _, domain = text.rpartition("@")
    if local == "git" or domain.rsplit(".", 1)[-1].lower() in _FILE_ENDINGS:
        return False
    return None if ".." in text else True


def email_of_presidio(tlds: frozenset[str]) -> Callable[[str], bool | None]:
    """Presidio's rule: the domain ends in a public suffix. Checked here by its last label alone."""

    def check(text: str) -> bool | None:
        return text.rsplit(".", 1)[-1].lower() in tlds

    return check


def card(text: str) -> bool | None:
    """Luhn; without an issuer's range, or in an unusual grouping, the number needs context as well."""
    digits = digits_of(text)
    if not luhn(digits) or digits == digits[:1] * len(digits):
        return False
    return True if _issued(digits.decode()) and _CARD_SHAPE.fullmatch(text) else None


def luhn_only(text: str) -> bool | None:
    """Presidio's rule for cards."""
    return luhn(digits_of(text))


def iban_number(text: str) -> bool | None:
    """Modulo 97 and the country's structure, whatever the separators and the case.

    The structures are stdnum's; its own check, which takes ten times as long, gives the same answers.
    """
    number = text.encode("ascii", "ignore").translate(None, _NOT_LETTERS_OR_DIGITS).decode().upper()
    bank, country = number[4:], number[:2]
    if not bank or int((bank + number[:4]).translate(_LETTER_VALUES)) % 97 != 1:
        return False
    structure = _iban_structure(country)
    return structure is not None and structure.fullmatch(bank) is not None


@lru_cache(maxsize=256)
def _iban_structure(country: str) -> re.Pattern[str] | None:
    """What follows country and check digits in an IBAN of `country`; None where there are no IBANs."""
    facts = numdb.get("iban").info(country)[0][1] if country.isalpha() else {}
    parts = _IBAN_PART.sub(lambda part: f"{_IBAN_CLASSES[part[2]]}{{{part[1]}}}", facts.get("bban", ""))
    return re.compile(parts) if parts else None


def iban_of_presidio(text: str) -> bool | None:
    """Presidio's rule: certain in capitals, else the pattern's score."""
    if not iban_number(text):
        return False
    return True if text == text.upper() else None


def public_ip(text: str) -> bool | None:
    """An address that can belong to somebody: neither private, local, shared, documentation nor multicast."""
    octets = text.split(".")
    if len(octets) == 4 and octets[0] in _PUBLIC_FIRST_OCTETS and _OCTETS.issuperset(octets):
        return True  # no block that belongs to nobody begins with these
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast:
        return False
    if address.version == 6 and "::" in text:  # `a::b` and `1::2` are code; assigned addresses start with 2 or 3
        return int(address) >> 125 == 1
    return True


def any_ip(text: str) -> bool | None:
    """Presidio's rule: whatever the standard library parses."""
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return None


def ssn(text: str) -> bool | None:
    """A number the US could have issued. Published samples count: a user's text is redacted all the same."""
    digits = digits_of(text)
    impossible = digits[:3] in {b"000", b"666"} or digits[3:5] == b"00" or digits[5:] == b"0000"
    return False if impossible or len(set(digits)) == 1 else None


def ssn_of_presidio(text: str) -> bool | None:
    """Presidio's rule: as `ssn`, and neither mixed separators nor published samples."""
    mixed = len({c for c in text if c in ".- "}) > 1
    samples = {b"123456789", b"987654320", b"078051120"}
    return False if mixed or digits_of(text) in samples else ssn(text)


def wallet(text: str) -> bool | None:
    """A Bitcoin address with its checksum (base58check, bech32, bech32m) or an Ethereum one by its form."""
    if text[:2].lower() == "0x":
        return False if len(set(text[2:].lower())) < 4 else None
    return bitcoin(text)


def bitcoin(text: str) -> bool | None:
    """A Bitcoin address with its checksum; this alone is Presidio's rule for wallets."""
    return _bech32(text) if text[:3].lower() == "bc1" else bool(stdnum_bitcoin.is_valid(text))


def device_address(text: str) -> bool | None:
    """Not the broadcast address, nor the one that is all zeros."""
    digits = set(text.upper()) - set(":-.")
    return False if digits in ({"F"}, {"0"}) else None


def device_address_of_letters(text: str) -> bool | None:
    """As `device_address`, and not made of digits alone: those are times and other numbers far more often."""
    return device_address(text) if re.search("[A-Fa-f]", text) else False


def driver_number(text: str) -> bool | None:
    """Not another number that stands near a licence: a ZIP code, a date, a phone or social security number."""
    return False if _NO_LICENCE.fullmatch(text) else None


def url(tlds: frozenset[str]) -> Callable[[str], bool | None]:
    """A host under a top-level domain that there is; without a scheme, not what file names end with (`main.py`)."""

    def check(text: str) -> bool | None:
        found = _HOST.match(text)
        top = found[2].lower() if found else ""
        named = found is not None and bool(found[1])
        return None if top in tlds and (named or top not in _FILE_TLDS) else False

    return check


def uuid(text: str) -> bool | None:
    """Of a version and variant in use."""
    return None if _UUID.match(text) else False


def calendar_date(text: str) -> bool | None:
    """Days and months that exist, in either order; whether it is somebody's birth only context can say."""
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    small = sorted(numbers, key=lambda n: n > 31)[: len(numbers) - 1] if len(numbers) == 3 else numbers[:1]
    fits = all(1 <= n <= 31 for n in small) and (len(numbers) < 3 or min(small) <= 12)
    return None if fits else False


def url_credentials(text: str) -> bool | None:
    """Real user and password; a template (`${USER}:${PASS}`, `<user>:<password>`, `***`) is not."""
    return _PLACEHOLDER.search(text) is None


def _issued(digits: str) -> bool:
    """The length and first digits are those of a card scheme in use."""
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if digits[0] == "4":
        return size in {13, 16, 19}
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in {34, 37} or four in {1800, 2131}:
        return size == 15
    if two in {30, 36, 38, 39}:
        return 14 <= size <= 19
    if two == 35:
        return 16 <= size <= 19
    return (two in {50, 56, 57, 58, 59} or digits[0] == "6") and 12 <= size <= 19


def _bech32(text: str) -> bool:
    if text not in {text.lower(), text.upper()}:
        return False
    data = [_BECH32.find(c) for c in text[3:].lower()]
    return -1 not in data and stdnum_bitcoin.bech32_checksum([*_BC_PREFIX, *data]) in _BECH32_CHECKSUMS
