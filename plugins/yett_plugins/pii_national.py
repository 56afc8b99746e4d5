"""National numbers in the `yett` pack: Presidio's recognisers with exact ends, more groupings and less credulity.

Where Presidio takes any run of digits with the right check digit (one in ten has it), a bare run needs a context word
here; `Trust` says for which. Patterns end where the number ends, not inside decimals, ids and dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from yett.detector import Detector, Pattern, Validator
from yett_plugins import pii_checks as checks
from yett_plugins import pii_numbers as numbers
from yett_plugins.pii_context import spelled
from yett_plugins.pii_countries import Entry, Trust
from yett_plugins.pii_presidio import checked
from yett_plugins.presidio import Pack

START = r"\b(?<!\d[.\-/:])"
END = r"(?!\w)(?![.\-/:]\d)"
CONTEXT_CHARS = 48
_NOT_LONGER = (r"(?<![0-9A-Fa-f][.:\-])", r"(?![.:\-][0-9A-Fa-f])")  # a device address is no part of a longer hash
_WEAK = 0.3  # a context word lifts this over the threshold, nothing else does
_ANY_TOKEN = frozenset({"PAN (Low)"})  # matches every word of ten characters near four digits
_BARE = frozenset({"Steuernummer ELSTER (bundeseinheitlich, 13-stellig)"})  # time stamps in milliseconds look like it
# Plates and paper cards: short enough to be words of a sentence, were it not for the capitals.
_CAPITALS = frozenset(
    {"DE_KFZ", "UK_VEHICLE_REGISTRATION", "NG_VEHICLE_REGISTRATION", "ZA_LICENSE_PLATE", "IT_IDENTITY_CARD"}
)
_SEPARATOR = re.compile(r"[ .\-/:\xa0]")

# Groupings that people use and Presidio's patterns do not have: entity -> pattern, whether separators are dropped
# before the check.
_GROUPINGS = {
    "DE_TAX_ID": r"[1-9]\d \d{3} \d{3} \d{3}",
    "DE_SOCIAL_SECURITY": r"\d\d \d{6} [A-Za-z] \d{3}",
    "ES_NIF": r"\d{1,2}\.\d{3}\.\d{3}[ \-]?[A-Za-z]|\d{8} [A-Za-z]",
    "ES_NIE": r"[XYZxyz]-\d{7}-?[A-Za-z]",
    "TH_TNIN": r"\d[ \-]\d{4}[ \-]\d{5}[ \-]\d{2}[ \-]\d",
    "ZA_ID_NUMBER": r"\d{6} \d{4} \d{2} ?\d",
    "AU_TFN": r"\d{3}-\d{3}-\d{3}",
    "AU_MEDICARE": r"[2-6]\d{3}-\d{5}-\d",
    "UK_NINO": r"[A-Za-z]{2}-\d\d-\d\d-\d\d-[A-Da-d]",
}

# What says that the number behind it is of this kind, where Presidio's words say less or too much.
_WORDS: dict[str, tuple[str, ...]] = {
    "US_DRIVER_LICENSE": (
        *("driver's license", "drivers license", "driver license", "driving license", "driver's licence"),
        *(
            "drivers licence",
            "driver licence",
            "driving licence",
            "driving permit",
            "driver's permit",
            "licence number",
        ),
        *("license number", "license no", "licence no", "dl", "dln", "dl#", "dl no", "lic#", "operator license"),
    ),
    "US_PASSPORT": (
        *("passport", "passport#", "passports", "passport book", "passport card", "travel document", "reisepass"),
        *("passeport", "pasaporte", "passaporto", "passaporte"),
    ),
    "US_BANK_NUMBER": (
        *("account", "account number", "account#", "account no", "acct", "acct#", "acct no", "bank account", "a/c"),
        *("checking account", "savings account", "bank acct", "kontonummer", "konto", "compte", "cuenta", "conto"),
    ),
    "US_ITIN": ("itin", "taxpayer identification", "tax id", "taxpayer id", "individual taxpayer"),
}
_SHAPES = {
    "US_DRIVER_LICENSE": r"(?:[A-Za-z]{1,3}-?)?\d[A-Za-z0-9]{4,17}(?:-[A-Za-z0-9]{2,8}){0,4}"
    r"|\d{2,4}(?:-[A-Za-z0-9]{2,8}){1,4}|[A-Za-z]\d{2,3}(?:-\d{2,8}){1,4}",
    "US_PASSPORT": r"[A-Za-z]\d{8}|\d{9}|[A-Za-z]{2}\d{7}",
}
# Checks that Presidio does not have, or that go further.
_CHECKS: dict[str, Validator] = {
    "MAC_ADDRESS": checks.device_address_of_letters,
    "SG_NRIC_FIN": numbers.singapore_person,
    "US_DRIVER_LICENSE": checks.driver_number,
}
# For those that are on without being asked for.
_EXAMPLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "MAC_ADDRESS": (
        ("from 00:1A:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e"),
        ("ff:ff:ff:ff:ff:ff", "10:20:30:40:50:60", "00:1a:2b:3c:4d:5e:6f:70", "1234.5678.9012"),
    ),
    "US_ITIN": (("ITIN 911-70-1234", "tax id: 911701234"), ("911701234", "1911-70-1234", "911-10-1234")),
    "US_DRIVER_LICENSE": (
        ("my driver's license number is D1234567", "driver_license: F255-9215-0094", "DL# 12345678"),
        ("driver's license 2024-01-31", "license MIT-0", "D1234567", "driving licence, CA 90292-9024"),
    ),
    "US_PASSPORT": (("passport number 123456789", '"passport_no": "A12345678"'), ("123456789", "passport 1234")),
    "US_BANK_NUMBER": (("account number: 12345678", '"account_no": 1234567890'), ("12345678", "account 1234")),
}


def national(data: Pack, entry: Entry) -> Detector:
    """The detector for `entry`, which has no place of its own in `pii_yett`. Raises PluginError."""
    detector = checked(data, entry)
    hit, miss = _EXAMPLES.get(entry.entity, ((), ()))
    return replace(
        detector,
        patterns=_patterns(entry, detector.patterns),
        validator=_judge(entry, _CHECKS.get(entry.entity, detector.validator)),
        context=spelled(_WORDS.get(entry.entity, detector.context)),
        context_chars=CONTEXT_CHARS,
        hit=hit,
        miss=miss,
    )


def _patterns(entry: Entry, presidios: Iterable[Pattern]) -> tuple[Pattern, ...]:
    shape, grouping = _SHAPES.get(entry.entity), _GROUPINGS.get(entry.entity)
    if shape is not None:
        return (Pattern("shape", rf"{START}(?:{shape}){END}", _WEAK),)
    patterns = [
        replace(
            pattern,
            regex=_ended(entry.entity, pattern.regex),
            score=min(pattern.score, _WEAK)
            if entry.trust is not Trust.SHAPE or pattern.name in _BARE
            else pattern.score,
            ignore_case=entry.entity not in _CAPITALS,
        )
        for pattern in presidios
        if pattern.name not in _ANY_TOKEN
    ]
    if grouping is not None:
        patterns.append(Pattern("grouped", rf"{START}(?:{grouping}){END}", _WEAK if entry.check else 0.5))
    return tuple(patterns)


def _ended(entity: str, regex: str) -> str:
    flags = "(?s)" if regex.startswith("(?s)") else ""
    before, after = _NOT_LONGER if entity == "MAC_ADDRESS" else ("", "")
    return rf"{flags}{START}{before}(?:{regex.removeprefix('(?s)')}){after}{END}"


def _judge(entry: Entry, check: Validator | None) -> Validator | None:
    """`check` on the number without its separators, believed as far as `entry.trust` goes."""
    if check is None:
        return None
    grouped = entry.entity in _GROUPINGS

    def judge(text: str) -> bool | None:
        answer = check(_SEPARATOR.sub("", text) if grouped else text)
        if answer is False or entry.trust is Trust.SHAPE:
            return answer
        return True if entry.trust is Trust.GROUPED and not text.isalnum() else None

    return judge
