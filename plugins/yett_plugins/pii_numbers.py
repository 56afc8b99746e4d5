"""The arithmetic of national numbers: check digits, dates inside numbers, registers.

Each check takes the text as it was matched, separators and all, and answers as `yett.detector.Validator` says. They
are Presidio's rules, in our words; `tests/plugins/test_pii_numbers.py` compares them with Presidio's own answers on
generated numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from operator import mul

from stdnum import verhoeff
from stdnum.iso7064 import mod_11_10
from stdnum.sg.uen import OTHER_UEN_ENTITY_TYPES

from yett.detector import Validator
from yett_plugins.pii_checks import digits_of, luhn

_PREFIXED_UEN = re.compile(r"[TSR]\d\d([A-Z]{2})\d{4}[A-Z]")
_UEN_TYPES = frozenset({*OTHER_UEN_ENTITY_TYPES, "HC"})
_UEN_LETTERS = "ABCDEFGHJKLMNPQRSTUVWX0123456789"
_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_CENTURIES = {"+": 1800, **dict.fromkeys("-YXWVU", 1900), **dict.fromkeys("ABCDEF", 2000)}
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FISCAL_ODD = "BAKPLCQDREVOSFTGUHMINJWZYX"  # the place of a letter is its value; digits count as A to J
_DIGITS_AS_LETTERS = str.maketrans("0123456789", "ABCDEFGHIJ")
_NRIC_LETTERS = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT", "M": "XWUTRQPNJLK"}
_NRIC_WEIGHTS = (2, 7, 6, 5, 4, 3, 2)
_KOREAN_REGIONS = frozenset(f"{n:02}" for n in (*range(11, 27), 28))
_LEGACY_COMPANY = re.compile(r"(?:CK|NR|[KTWBMN])(\d{4})/\d{6}")


def numbers_of(text: str) -> list[int]:
    """The ASCII digits in `text`, as numbers."""
    return [code - 48 for code in digits_of(text)]


def weighted(weights: Iterable[int], modulus: int) -> Validator:
    """A check that the digits times `weights` add up to a multiple of `modulus`."""

    def check(text: str) -> bool | None:
        return _total(numbers_of(text), weights) % modulus == 0

    return check


def not_unless(check: Validator) -> Validator:
    """`check` for what it refuses only: where it agrees, the pattern's score stands."""
    return lambda text: None if check(text) else False


def unless_refused(refused: Callable[[str], bool]) -> Validator:
    """A check that only ever refuses."""
    return lambda text: False if refused(text) else None


def shape_only(text: str) -> bool | None:
    """What Presidio counts as certain for its shape alone."""
    return bool(text)


def luhn_number(text: str) -> bool | None:
    """The check digit of payment cards, on other numbers."""
    return luhn(digits_of(text))


def verhoeff_number(text: str) -> bool | None:
    """The check digit after Verhoeff."""
    return bool(verhoeff.is_valid(digits_of(text).decode()))


def us_provider(text: str) -> bool | None:
    """US NPI: Luhn with the prefix of US health cards; nine equal digits are no provider."""
    digits = digits_of(text)
    return len(set(digits[:-1])) > 1 and luhn(b"80840" + digits)


def us_medical_license(text: str) -> bool | None:
    """US DEA number: seven digits after two characters."""
    return weighted((1, 2, 1, 2, 1, 2, -1), 10)(text[2:])


def australian_business(text: str) -> bool | None:
    """ABN: modulo 89 after one is taken from the first digit."""
    numbers = numbers_of(text)
    numbers[0] -= 1
    return _total(numbers, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) % 89 == 0


def indian_identity(text: str) -> bool | None:
    """Aadhaar: Verhoeff, no leading 0 or 1, no palindrome."""
    digits = digits_of(text).decode()
    return digits[0] not in "01" and digits != digits[::-1] and bool(verhoeff.is_valid(digits))


def indian_tax_registration(text: str) -> bool | None:
    """GSTIN: a state of India, the form of a PAN, the fixed Z."""
    text = text.upper()
    pan = text[2:12]
    letters = sum(map(str.isalpha, pan[:5]))
    return 1 <= int(text[:2]) <= 37 and letters >= 3 and pan[5:9].isdigit() and pan[9].isalpha() and text[13] == "Z"


def indian_vehicle(districts: Mapping[str, frozenset[str]]) -> Validator:
    """A check of Indian plates: certain with a district that the state has, else the pattern's score."""

    def check(text: str) -> bool | None:
        if len(text) < 8 or not text[2].isdigit() or not text[-4:].isdigit() or not int(text[-4:]):
            return None
        district = text[2:4] if text[3].isdigit() else text[2]
        known = districts.get(text[:2].upper(), frozenset())
        return district in known or str(int(district)) in known or None

    return check


def italian_fiscal_code(text: str) -> bool | None:
    """Codice fiscale: certain with its check letter, else the pattern's score."""
    body, control = text[:-1].upper().translate(_DIGITS_AS_LETTERS), text[-1].upper()
    odd = sum(map(_FISCAL_ODD.index, body[::2]))
    even = sum(ord(letter) - ord("A") for letter in body[1::2])
    return True if chr(ord("A") + (odd + even) % 26) == control else None


def italian_vat(text: str) -> bool | None:
    """Partita IVA: Luhn, and not all zeros."""
    digits = digits_of(text)
    return digits != b"0" * 11 and luhn(digits)


def spanish_identity(text: str) -> bool | None:
    """NIF: the letter is the number modulo 23."""
    return _NIF_LETTERS[int(digits_of(text)) % 23] == text[-1].upper()


def spanish_foreigner(text: str) -> bool | None:
    """NIE: as the NIF, with X, Y or Z for a leading 0, 1 or 2."""
    text = text.upper().replace("-", "")
    if text[0] not in "XYZ" or not 8 <= len(text) <= 9:
        return False
    return spanish_identity(str("XYZ".index(text[0])) + text[1:])


def german_tax_id(text: str) -> bool | None:
    """Steuer-ID: ISO 7064 modulo 11,10, and no digit more than three times among the first ten."""
    return max(map(text[:10].count, text[:10])) <= 3 and bool(mod_11_10.is_valid(text))


def german_vat(text: str) -> bool | None:
    """USt-IdNr.: certain with its check digit, else the pattern's score."""
    return True if mod_11_10.is_valid(digits_of(text).decode()) else None


def german_social_security(text: str) -> bool | None:
    """Rentenversicherungsnummer: a day (or day plus 50) and month, the letter as a number, crosswise check digit."""
    text = text.upper()
    day, month = int(text[2:4]), int(text[4:6])
    if not (1 <= day <= 31 or 51 <= day <= 81) or not 1 <= month <= 12:
        return False
    numbers = numbers_of(f"{text[:8]}{_letter_number(text[8])}{text[9:11]}")
    return _cross_sum(numbers, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10 == int(text[11])


def german_health_insurance(text: str) -> bool | None:
    """Krankenversichertennummer: Luhn from the left, the letter as a number."""
    numbers = numbers_of(f"{_letter_number(text[0].upper())}{text[1:9]}")
    return _cross_sum(numbers, (1, 2) * 5) % 10 == int(text[9])


def german_doctor(text: str) -> bool | None:
    """LANR: the seventh digit checks the first six."""
    return weighted((4, 9, 4, 9, 4, 9, 1), 10)(text)


def travel_document(text: str) -> bool | None:
    """The check digit of machine-readable travel documents (ICAO 9303) at the end of `text`."""
    values = [int(c, 36) for c in text[:-1].upper()]
    return text[-1].isdigit() and _total(values, (7, 3, 1) * 4) % 10 == int(text[-1])


def german_identity_card(text: str) -> bool | None:
    """Personalausweis: the old form (T and digits) has no check digit, the new one that of travel documents."""
    return None if text[0] in "Tt" and text[1:].isdigit() else travel_document(text)


def german_passport(text: str) -> bool | None:
    """Reisepass: the check digit of travel documents, and only letters that cannot be mistaken for digits."""
    return not set("ABDEIOQSU").intersection(text[:-1].upper()) and travel_document(text)


def finnish_identity(text: str) -> bool | None:
    """Henkilötunnus: a date, and a letter that is the number modulo 31."""
    text = text.upper()
    century = _HETU_CENTURIES[text[6]]
    if not _is_date(century + int(text[4:6]), int(text[2:4]), int(text[:2])):
        return False
    return _HETU_LETTERS[int(text[:6] + text[7:10]) % 31] == text[10]


def swedish_person(text: str) -> bool | None:
    """Personnummer: month and day (or day plus 60) in the last ten digits, Luhn."""
    digits = digits_of(text)[-10:]
    month, day = int(digits[2:4]), int(digits[4:6])
    return 1 <= month <= 12 and 1 <= (day - 60 if day > 60 else day) <= 31 and luhn(digits)


def swedish_organisation(text: str) -> bool | None:
    """Organisationsnummer: third digit two or more, Luhn."""
    digits = digits_of(text)
    return digits[2:3] >= b"2" and luhn(digits)


def turkish_identity(text: str) -> bool | None:
    """T.C. kimlik numarası: two check digits."""
    numbers = numbers_of(text)
    tenth = (7 * sum(numbers[0:9:2]) - sum(numbers[1:8:2])) % 10
    return tenth == numbers[9] and sum(numbers[:10]) % 10 == numbers[10]


def british_driver(text: str) -> bool | None:
    """UK driving licence: a surname padded with nines."""
    return None if re.fullmatch(r"[A-Z]+9*", text[:5].upper()) else False


def british_vehicle(text: str) -> bool | None:
    """UK plate: the age identifier of today's form is one that was issued; older forms have none."""
    text = text.replace("-", "").replace(" ", "")
    if len(text) != 7 or not text[:2].isalpha() or not text[2:4].isdigit():
        return None
    return 2 <= int(text[2:4]) <= 29 or 51 <= int(text[2:4]) <= 79


def korean_business(text: str) -> bool | None:
    """Korean BRN: weights, and the ninth product's carry counts."""
    numbers = numbers_of(text)
    total = _total(numbers, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + numbers[8] * 5 // 10
    return -total % 10 == numbers[9]


def korean_driver(text: str) -> bool | None:
    """Korean driving licence: begins with a licensing region."""
    return digits_of(text).decode()[:2] in _KOREAN_REGIONS


def korean_resident(text: str) -> bool | None:
    """Korean RRN: certain with region and check digit; those given since 2020 have none and keep their score."""
    return _korean(text, 11)


def korean_foreigner(text: str) -> bool | None:
    """Korean FRN: as the RRN, two more in the check digit."""
    return _korean(text, 13)


def thai_identity(text: str) -> bool | None:
    """Thai TNIN: modulo 11."""
    numbers = numbers_of(text)
    return (11 - _total(numbers, range(13, 1, -1)) % 11) % 10 == numbers[12]


def singapore_person(text: str) -> bool | None:
    """NRIC and FIN: the check letter of its series. Presidio has no check for it."""
    text = text.upper()
    letters = _NRIC_LETTERS.get(text[0])
    if letters is None:
        return None
    total = _total(numbers_of(text), _NRIC_WEIGHTS) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    return letters[total % 11] == text[-1]


def singapore_entity(text: str) -> bool | None:
    """UEN: the check letter of its form."""
    text = text.upper()
    numbers = numbers_of(text)
    if len(text) == 9:
        return "XMKECAWLJDB"[_total(numbers, (10, 4, 9, 3, 8, 2, 7, 1)) % 11] == text[-1]
    if text[0].isdigit():
        letter = "ZKCMDNERGWH"[_total(numbers, (10, 8, 6, 4, 9, 7, 5, 3, 1)) % 11]
        return int(text[:4]) <= _today().year and letter == text[-1]
    found = _PREFIXED_UEN.fullmatch(text)
    if found is None or found[1] not in _UEN_TYPES:
        return False
    total = _total(map(_UEN_LETTERS.index, text[:-1]), (4, 3, 5, 3, 10, 2, 2, 5, 7))
    return _UEN_LETTERS[(total - 5) % 11] == text[-1]


def south_african_identity(text: str) -> bool | None:
    """South African ID: a date of birth that has been, citizenship, Luhn."""
    today = _today()
    year, month, day = int(text[:2]), int(text[2:4]), int(text[4:6])
    year += 1900 if year > today.year % 100 else 2000
    if not _is_date(year, month, day) or date(year, month, day) > today:
        return False
    return text[10] in "012" and text[11] in "89" and luhn(digits_of(text))


def south_african_register(text: str) -> bool | None:
    """South African traffic register number: any that is no ID."""
    return not south_african_identity(text)


def south_african_company(text: str) -> bool | None:
    """South African company registration: a year that has been."""
    found = _LEGACY_COMPANY.fullmatch(text.upper())
    return 1800 <= int(found[1] if found else text[:4]) <= _today().year


def south_african_driver(text: str) -> bool | None:
    """South African driving licence: 10 to 14 characters with a letter."""
    return 10 <= len(text) <= 14 and not text.isdigit()


def south_african_plate(text: str) -> bool | None:
    """South African plate: a letter before the province, five characters or more."""
    text = text.replace(" ", "").replace("-", "")
    return len(text) >= 5 and any(map(str.isalpha, text[:-2]))


def _korean(text: str, offset: int) -> bool | None:
    numbers = numbers_of(text)
    check = (offset - _total(numbers, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return True if numbers[7] * 10 + numbers[8] <= 95 and check == numbers[12] else None


def _total(numbers: Iterable[int], weights: Iterable[int]) -> int:
    return sum(map(mul, numbers, weights))


def _letter_number(letter: str) -> str:
    return f"{ord(letter) - ord('A') + 1:02}"


def _cross_sum(numbers: Iterable[int], weights: Iterable[int]) -> int:
    return sum(sum(divmod(product, 10)) for product in map(mul, numbers, weights))


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _today() -> date:
    return datetime.now(UTC).date()
