"""Phone numbers: patterns that catch every shape people write, and the check that sorts them.

The patterns are a superset with bounded repetition, so they stream; `phonenumbers` then says what is a real number.
A shape that only phone numbers have is reported even when the number is not assigned; a shape that other numbers
share needs a valid number or a context word.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from yett.detector import Detector, Pattern
from yett_plugins.pii_checks import digits_of

INTERNATIONAL = "ZZ"  # as phonenumbers calls it: a number that names its country
DEFAULT_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")

# Not inside a word, a longer number, a decimal, a version, a date or an id.
START = r"\b(?<!\+)(?<!\d[.\-/:])"
OUTSIDE = r"(?<![\w+])"
END = r"(?!\w)(?![.\-/:,]\d)"
EXTENSION = r"(?:[ ,;]{0,2}(?:[xX#]|[Ee]xt\.?|[Ee]xtension)[ .:]{0,2}\d{1,6})?"
LABEL = r"(?=[ \-]{0,2}\(?(?i:office|fax|mobile|cell|home|work|phone|tel)(?![A-Za-z]))"
GROUPS = r"\d{2,5}(?:[ .\-]\d{2,8}){1,5}"

TAIL = rf"{EXTENSION}{END}"
GAPS = r"[ .\-/()\xa0]{0,3}"

DIALLED = rf"00[2-9](?:{GAPS}\d){{6,14}}"
TRUNK = r"0\d{1,4}(?:[ .\-/]\d{2,8}){1,4}"
NORTH_AMERICAN = r"(?:(?:1|001)[ .\-]{0,2})?\d{3}[.\-]\d{3}[ .\-]\d{4}"

PATTERNS = (
    Pattern("international", rf"{OUTSIDE}\+(?:\(?[2-9](?:{GAPS}\d){{6,14}}|1(?:{GAPS}\d){{10}}){TAIL}", 0.5),
    Pattern("dialled", rf"{START}(?:{DIALLED}|{TRUNK}|{NORTH_AMERICAN}){TAIL}", 0.5),
    Pattern("area code", rf"{OUTSIDE}(?:(?:1|001)[ .\-]?)?\(\d{{3}}\)[ .\-]{{0,2}}\d{{3}}[ .\-]\d{{4}}{TAIL}", 0.5),
    Pattern("in brackets", rf"{OUTSIDE}\(\d{{1,5}}\)[ .\-]{{0,2}}\d{{2,8}}(?:[ .\-]\d{{2,5}}){{0,3}}{TAIL}", 0.1),
    Pattern("announced", rf"\b[Nn]umber(?: is|:)? ({GROUPS}){TAIL}", 0.4, 1),
    Pattern("labelled", rf"{START}(?:\d{{7,13}}|{GROUPS}){LABEL}", 0.5),
    Pattern("unmarked", rf"{START}(?:\d{{8,13}}|{GROUPS}){TAIL}", 0.1),
)

CONTEXT = (
    *("phone", "phones", "telephone", "tel", "cell", "cellphone", "mobile", "landline", "hotline", "voicemail"),
    *("call", "calls", "called", "calling", "dial", "ring", "contact", "reach"),
    *("fax", "whatsapp", "sms", "text", "texted", "message", "messages"),
    *("telefon", "handy", "mobil", "rufnummer", "telefonnummer", "anrufen"),
    *("téléphone", "portable", "appelez", "numéro"),
    *("teléfono", "móvil", "celular", "llama", "telefone", "telefono", "cellulare"),
)

_DATE = r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?(?!\d)|\d\d?[-./]\d\d?[-./](?:19|20)\d\d(?!\d)"
_SSN = r"\d{3}([-. ])\d{2}\1\d{4}"
_DOTTED_QUAD = r"\d{1,3}(?:\.\d{1,3}){3}"
_YEARS = r"(?:\(\d{1,4}\)[ .\-]*)?(?:19|20)\d\d(?:[ .\-](?:19|20)\d\d)*"
_CARD = r"\d{4}(?:[ .\-]\d{4}){3}|\d{4}[ .\-]\d{6}[ .\-]\d{5}"
_OTHER_NUMBER = re.compile(rf"{_DATE}|(?:{_SSN}|{_DOTTED_QUAD}|{_YEARS}|{_CARD})\Z")
_STAMP = re.compile(r"(?:19|20)\d{6}|1\d{9}|1\d{12}")
_AMERICAN = frozenset({"US", "CA"})
_LETTER = re.compile(r"[A-Za-z#,;]")
_INDIAN = re.compile(r"[6-9]\d{4}[ -]\d{5}")


class PhoneCheck:
    """Validator of phone candidates: True = an assigned number range, False = another kind of number, None = perhaps.

    `regions` are tried for numbers without a country code. Results for the last 512 numbers are kept, because agents
    resend their history.
    """

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = regions
        self._trunk_regions = tuple(r for r in regions if r not in _AMERICAN)
        self._american = tuple(r for r in regions if r in _AMERICAN)[:1]  # one numbering plan
        self._assigned = lru_cache(maxsize=512)(_assigned)
        for region in regions:  # some milliseconds each: not while somebody waits
            _load(region)
            _assigned("+1 212 555 0123", INTERNATIONAL)

    def __call__(self, text: str) -> bool | None:
        """Judge one candidate as the patterns matched it."""
        letter = _LETTER.search(text)
        number = (text if letter is None else text[: letter.start()]).strip()
        digits = digits_of(number).decode()
        if not _plausible(number, digits):
            return False
        return any(self._assigned(number, region) for region in self._candidates(number, digits)) or None

    def _candidates(self, number: str, digits: str) -> tuple[str, ...]:
        if number[0] == "+" or number.startswith("(+"):
            return (INTERNATIONAL,)
        if len(digits) == len(number):
            return ()  # digits alone are any number at all: only context decides
        if digits[0] == "0":  # in brackets the shape alone says little; without, it is enough
            return self._trunk_regions if number[0] == "(" else ()
        if (digits[0] == "1" and len(digits) == 11) or (len(digits) == 10 and len(number) >= 12):
            return self._american if _INDIAN.fullmatch(number) is None else ("IN",)
        return ("IN",) if "IN" in self._regions and _INDIAN.fullmatch(number) else ()


def phone_detector(regions: tuple[str, ...]) -> Detector:
    """The phone detector for numbers written as in `regions`, and for international ones of any country."""
    return Detector(
        name="pii.phone",
        code="pii.phone",
        entity="PHONE",
        patterns=PATTERNS,
        validator=PhoneCheck(regions),
        context=CONTEXT,
        max_len=96,
        hit=(
            "reach me at +49 (0)30 901820 today",
            "fax 001-518-640-0854x12",
            "(212) 555-0175",
            "212-555-0175 ext. 9",
            "call me: 5552368110",
            "Phone: 451 5986",
            "0490 75 40 81",
            "28-64-66-98 office",
        ),
        miss=(
            "550e8400-e29b-41d4-a716-446655440000",
            "order 4123456789",
            "2024-03-01 10:30:00",
            "call on 2024-03-01",
            "version 10.12.2024",
            "1700000000",
            "SSN 123-45-6789",
            "3.14159265358979",
            "192.168.100.100",
        ),
    )


def _plausible(number: str, digits: str) -> bool:
    if not 6 <= len(digits) <= 15 or digits == digits[0] * len(digits):
        return False
    if len(digits) == len(number):  # a bare run of digits: not a time stamp, not a date
        return _STAMP.fullmatch(number) is None
    if number[0] == "0" and "/" not in number and len(digits) < 8:
        return False
    return _OTHER_NUMBER.match(number) is None


def _assigned(number: str, region: str) -> bool:
    if _plainly_assigned(digits_of(number).decode(), region):
        return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _plainly_assigned(digits: str, region: str) -> bool:
    """Whether the digits are country code and number of the code's main country, without a trunk prefix.

    Most numbers are, and it takes a fifth of the time of parsing them; what is not plain is parsed.
    """
    if region in _AMERICAN:
        digits = digits if digits[0] == "1" else f"1{digits}"
    elif region != INTERNATIONAL:
        return False
    for size in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:size]))
        if regions is not None:
            if digits[size : size + 1] in {"", "0"}:
                return False
            number = phonenumbers.PhoneNumber(int(digits[:size]), int(digits[size:]))
            return phonenumbers.is_valid_number_for_region(number, regions[0])
    return False


def _load(region: str) -> None:
    """Let phonenumbers read the tables of `region` and compile their patterns, which else wait for first use."""
    for kind in phonenumbers.PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            _assigned(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL), region)
            phonenumbers.is_valid_number(number)
