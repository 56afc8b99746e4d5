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

PATTERNS = (
    Pattern("international", rf"{OUTSIDE}\+\(?[2-9](?:{GAPS}\d){{6,14}}{TAIL}", 0.5),
    Pattern("plus one", rf"{OUTSIDE}\+1(?:{GAPS}\d){{10}}{TAIL}", 0.5),
    Pattern("dialled international", rf"{START}00[2-9](?:{GAPS}\d){{6,14}}{TAIL}", 0.5),
    Pattern("north american", rf"{START}(?:(?:1|001)[ .\-]{{0,2}})?\d{{3}}[.\-]\d{{3}}[ .\-]\d{{4}}{TAIL}", 0.5),
    Pattern("area code", rf"{OUTSIDE}(?:(?:1|001)[ .\-]?)?\(\d{{3}}\)[ .\-]{{0,2}}\d{{3}}[ .\-]\d{{4}}{TAIL}", 0.5),
    Pattern("in brackets", rf"{OUTSIDE}\(\d{{1,5}}\)[ .\-]{{0,2}}\d{{2,8}}(?:[ .\-]\d{{2,5}}){{0,3}}{TAIL}", 0.1),
    Pattern("trunk prefix", rf"{START}0\d{{1,4}}(?:[ .\-/]\d{{2,8}}){{1,4}}{TAIL}", 0.4),
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

_DATE = re.compile(r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?(?!\d)|\d\d?[-./]\d\d?[-./](?:19|20)\d\d(?!\d)")
_SSN = re.compile(r"\d{3}([-. ])\d{2}\1\d{4}")
_DOTTED_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_YEARS = re.compile(r"(?:\(\d{1,4}\)[ .\-]*)?(?:19|20)\d\d(?:[ .\-](?:19|20)\d\d)*")
_CARD = re.compile(r"\d{4}(?:[ .\-]\d{4}){3}|\d{4}[ .\-]\d{6}[ .\-]\d{5}")
_LETTER = re.compile(r"[A-Za-z#,;]")
_INDIAN = re.compile(r"[6-9]\d{4}[ -]\d{5}")


class PhoneCheck:
    """Validator of phone candidates: True = an assigned number range, False = another kind of number, None = perhaps.

    `regions` are tried for numbers without a country code. Results for the last 512 numbers are kept, because agents
    resend their history.
    """

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = regions
        self._trunk_regions = tuple(r for r in regions if r not in {"US", "CA"})
        self._american = tuple(r for r in regions if r in {"US", "CA"})[:1]  # one numbering plan
        self._assigned = lru_cache(maxsize=512)(_assigned)
        for region in regions:  # its tables are read on first use, half a millisecond each: not while somebody waits
            _assigned("2125550123", region)

    def __call__(self, text: str) -> bool | None:
        """Judge one candidate as the patterns matched it."""
        number = _LETTER.split(text, maxsplit=1)[0].strip()
        digits = "".join(c for c in number if "0" <= c <= "9")
        if not _plausible(number, digits):
            return False
        return any(self._assigned(number, region) for region in self._candidates(number, digits)) or None

    def _candidates(self, number: str, digits: str) -> tuple[str, ...]:
        if number[0] == "+" or number.startswith("(+"):
            return ("ZZ",)
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
    if not 6 <= len(digits) <= 15 or len(set(digits)) == 1:
        return False
    if len(digits) == len(number):  # a bare run of digits: not a time stamp, not a date
        return not (digits[0] == "1" and len(digits) in {10, 13}) and not re.fullmatch(r"(?:19|20)\d{6}", digits)
    if number[0] == "0" and "/" not in number and len(digits) < 8:
        return False
    others = (_SSN, _DOTTED_QUAD, _YEARS, _CARD)
    return not _DATE.match(number) and not any(other.fullmatch(number) for other in others)


def _assigned(number: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
