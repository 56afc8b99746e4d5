"""Phone numbers: patterns that catch every shape people write, and the check that sorts them.

The patterns are a superset with bounded repetition, so they stream; `phonenumbers` then says what is a real number.
A shape that only phone numbers have is reported even when the number is not assigned; a shape that other numbers
share needs a valid number or a context word.
"""

from __future__ import annotations

import re
from operator import mul

import phonenumbers

from yett.detector import Detector, Pattern
from yett_plugins.pii_checks import digits_of
from yett_plugins.pii_context import spelled
from yett_plugins.pii_words import PHONE_WORDS

INTERNATIONAL = "ZZ"  # as phonenumbers calls it: a number that names its country
DEFAULT_REGIONS = (
    *("US", "CA", "GB", "IE", "DE", "AT", "CH", "FR", "BE", "NL", "LU", "ES", "PT", "IT", "SE", "NO", "DK", "FI", "PL"),
    *(
        "CZ",
        "GR",
        "HU",
        "RO",
        "TR",
        "UA",
        "RU",
        "IL",
        "IN",
        "AU",
        "NZ",
        "ZA",
        "BR",
        "MX",
        "AR",
        "CO",
        "JP",
        "KR",
        "CN",
        "SG",
    ),
)

# Not inside a word, a longer number, a decimal, a version, a date or an id.
START = r"\b(?<!\+)(?<!\d[.\-/:])"
OUTSIDE = r"(?<![\w+])"
ALONE = (
    r"(?<!\d{4} )(?<![A-Za-z]{2}\d\d[ \-])(?<![A-Za-z]{2}\d\d[ \-][A-Za-z]{4}[ \-])"  # no group of a card or an IBAN
)
END = r"(?!\w)(?![.\-/:,]\d)"
EXTENSION = (  # spelt out rather than (?i): the faster engine takes it then
    r"(?:[ ,;]{0,2}(?:[xX#]|(?:[Ee]xt(?:ension|n)?|EXT|[Dd]urchwahl|DW|[Pp]oste|[Rr]amal|[Ii]nt(?:erno)?|[Aa]nexo)\.?)"
    r"[ .:]{0,2}\d{1,6})?"
)
LABEL = (
    r"(?=[ \-]{0,2}\(?(?i:(?:office|fax|mobile|cell|home|work|phone|tel|direct|main|landline|mobil|handy|privat"
    r"|portable|bureau|móvil|celular|casa|oficina)(?![A-Za-z])|numara[ls]|에 전화|로 전화|に電話|へ電話|पर कॉल))"
)
GROUPS = r"\d{2,5}(?:[ .\-/]\d{2,8}){1,5}"

TAIL = rf"{EXTENSION}{END}"
GAPS = r"[ .\-/()\xa0]{0,3}"

DIALLED = rf"{ALONE}00[2-9]\d{{1,13}}(?:[ .\-/\xa0]{{1,3}}(?:\(0\) ?)?\d{{1,8}}){{0,6}}"
TRUNK = rf"{ALONE}0\d{{1,4}}(?!(?<=\d{{5}})-\d{{4}}{END})(?:[ .\-/]\d{{2,8}}){{1,4}}"  # but not 08003-1128, a ZIP code
NORTH_AMERICAN = r"(?:(?:1|001)[ .\-]{0,2})?\d{3}[.\-]\d{3}[ .\-]\d{4}"
COUNTRY_IN_BRACKETS = rf"\((?:\+|00)(?:[2-9]\d{{0,2}}\)(?:{GAPS}\d){{5,13}}|1\)(?:{GAPS}\d){{10}})"
COUNTRY = rf"\+(?:\(?[2-9](?:{GAPS}\d){{6,14}}|1(?:{GAPS}\d){{10}})"
IN_BRACKETS = r"\(\d{1,5}\)[ .\-/]{0,2}\d{2,9}(?:[ .\-/]\d{2,5}){0,3}"

# What else has a number: `account number is ...`
OTHERS = "".join(
    f"(?<!{word} )"
    for word in (
        *("license", "licence", "account", "card", "security", "passport", "order", "tracking", "invoice", "reference"),
        *("serial", "case", "ticket", "member", "policy", "routing", "tax", "id"),
    )
)

PATTERNS = (
    Pattern("international", rf"{OUTSIDE}(?:{COUNTRY}|{COUNTRY_IN_BRACKETS}){TAIL}", 0.5),
    # Three, not one: where several fail, RE2's answer is of less use.
    Pattern("dialled", rf"{START}{DIALLED}{TAIL}", 0.5),
    Pattern("trunk", rf"{START}{TRUNK}{TAIL}", 0.5),
    Pattern("North American", rf"{START}{NORTH_AMERICAN}{TAIL}", 0.5),
    Pattern("area code", rf"{OUTSIDE}(?:(?:1|001)[ .\-]?)?\(\d{{3}}\)[ .\-]{{0,2}}\d{{3}}[ .\-]\d{{4}}{TAIL}", 0.5),
    Pattern("in brackets", rf"{OUTSIDE}{IN_BRACKETS}{TAIL}", 0.1),
    Pattern("prefix and brackets", rf"{START}\d{{1,3}}[ \-]?{IN_BRACKETS}{TAIL}", 0.1),
    Pattern("announced", rf"\b{OTHERS}[Nn]umber(?: is|:)? ({GROUPS}){TAIL}", 0.4, 1),
    Pattern(
        "seven digits", rf"\b(?i:phone|mobile|cell|tel|fax)\.?(?: n(?:umber|o\.?))?(?: is|:)? (\d{{7}}){TAIL}", 0.5, 1
    ),
    Pattern("labelled in brackets", rf"{OUTSIDE}{IN_BRACKETS}{LABEL}", 0.5),
    Pattern("labelled", rf"{START}(?:\d{{7,13}}|{GROUPS}){LABEL}", 0.5),
    Pattern("unmarked", rf"{START}(?:\d{{8,13}}|(?:[018][ \-])?{GROUPS}){TAIL}", 0.1),
)

CONTEXT = spelled(PHONE_WORDS)

_DATE = (
    r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?(?!\d)|\d\d?[-./]\d\d?[-./](?:19|20)\d\d(?!\d)"
    r"|(?:0\d|1[0-2])[-./](?:19|20)\d\d\Z|(?:0?[1-9]|[12]\d|3[01])([/.])(?:0?[1-9]|[12]\d|3[01])\1\d\d\Z"
)
_SSN = r"\d{3}([-. ])\d{2}\2\d{4}"
_DOTTED_QUAD = r"\d{1,3}(?:\.\d{1,3}){3}"
_YEARS = r"(?:\(\d{1,4}\)[ .\-]*)?(?:19|20)\d\d(?:[ .\-/](?:19|20)\d\d)*"
_CARD = r"\d{4}(?:[ .\-]\d{4}){3}|\d{4}[ .\-]\d{6}[ .\-]\d{5}"
_ZIP = r"[1-9]\d{4}-\d{4}"
_OTHER_NUMBER = re.compile(rf"{_DATE}|(?:{_ZIP}|{_SSN}|{_DOTTED_QUAD}|{_YEARS}|{_CARD})\Z")
_STAMP = re.compile(r"(?:19|20)\d{6}|1\d{9}|1\d{12}")
_AMERICAN = frozenset({"US", "CA"})
_LETTER = re.compile(r"[^\W\d_]|[#,;]")
_AMERICAN_GROUPS = re.compile(r"(?:1[ .\-]{0,2})?\(?\d{3}\)?[ .\-]{0,2}\d{3}[ .\-]\d{4}")
_INDIAN = re.compile(r"[6-9]\d{4}[ -]\d{5}")
_TRUNK_DIGITS = re.compile(r"0[1-9]\d{8,9}")
_SAMPLES = frozenset({"0123456789", "0987654321", "01234567890"})
_GROUP = re.compile(r"\d+")
_THOUSANDS = re.compile(r"\d{1,3}(?:[ .]\d{3})+")
_PAIRS = re.compile(r"\d{2}(?:[ .\-]\d{2})+")


class PhoneCheck:
    """Validator of phone candidates: True = can be dialled, False = another kind of number, None = perhaps.

    `regions` are tried for numbers without a country code.
    """

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = tuple(r for r in regions if r not in _AMERICAN)
        self._american = tuple(r for r in regions if r in _AMERICAN)[:1]  # one numbering plan
        for region in regions:  # some milliseconds each: not while somebody waits
            _load(region)

    def __call__(self, text: str) -> bool | None:
        """Judge one candidate as the patterns matched it."""
        letter = _LETTER.search(text)
        number = (text if letter is None else text[: letter.start()]).strip()
        digits = digits_of(number).decode()
        if not _plausible(number, digits):
            return False
        return self._dialled(number, digits) or None

    def _dialled(self, number: str, digits: str) -> bool:
        if number[0] == "+" or number.startswith("(+"):
            return _assigned(number, INTERNATIONAL) or _possible(number)
        if len(digits) == len(number):  # digits alone are any number at all, but few others begin with one zero
            trunk = _TRUNK_DIGITS.fullmatch(digits) is not None and digits not in _SAMPLES and not _isbn(digits)
            return trunk and any(_assigned(number, region) for region in self._regions)
        if digits[0] == "0":  # in brackets the shape alone says little; without, it is enough
            return number[0] == "(" and any(_assigned(number, region) for region in self._regions)
        return self._national(number, digits) or _with_country(number, digits)

    def _national(self, number: str, digits: str) -> bool:
        if _INDIAN.fullmatch(number):
            return "IN" in self._regions and _assigned(number, "IN")
        if _AMERICAN_GROUPS.fullmatch(number):
            if any(_assigned(number, region) for region in self._american):
                return True
            if len(digits) == 11:  # a 1 in front adds nothing and takes nothing away
                number, digits = number[1:].lstrip(" .-"), digits[1:]
        if _THOUSANDS.fullmatch(number) or _PAIRS.fullmatch(number):  # other numbers look like that, too
            return False
        return any(_grouped(number, digits, region) for region in self._regions)


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
    """Whether `number`, dialled in `region`, belongs to a range that is in use."""
    if _plainly_assigned(digits_of(number).decode(), region):
        return True
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _possible(number: str) -> bool:
    """Whether an international number has a country's code and a length that this country has."""
    try:
        reason = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def _with_country(number: str, digits: str) -> bool:
    """Whether it is an international number without its plus sign: the first group is a country's code."""
    groups = _GROUP.findall(number)
    if len(digits) < 11 or len(groups) < 2 or _PAIRS.fullmatch(number):
        return False
    known = len(groups[0]) <= 3 and int(groups[0]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return known and _assigned(f"+{digits}", INTERNATIONAL)


def _grouped(number: str, digits: str, region: str) -> bool:
    """Whether it is in use in `region`, and grouped as people there group it."""
    groups = _GROUP.findall(number)
    if len(groups) < 3:
        return False
    subscriber = digits.removeprefix(phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or "")
    parsed = phonenumbers.PhoneNumber(phonenumbers.country_code_for_region(region), int(subscriber or digits))
    if not phonenumbers.is_valid_number_for_region(parsed, region):
        return False
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return bool(_GROUP.findall(national) == groups)


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
            return bool(phonenumbers.is_valid_number_for_region(number, regions[0]))
    return False


def _isbn(digits: str) -> bool:
    """Whether ten digits are those of a book."""
    return len(digits) == 10 and sum(map(mul, map(int, digits), range(10, 0, -1))) % 11 == 0


def _load(region: str) -> None:
    """Let phonenumbers read the tables of `region` and compile their patterns, which else wait for first use."""
    for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            _assigned(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL), region)
            phonenumbers.is_valid_number(number)
