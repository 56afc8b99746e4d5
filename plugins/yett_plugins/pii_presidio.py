"""The `presidio` pack: Presidio's own patterns, scores and context words, under our codes.

Its validators are Presidio's rules on `stdnum` and the standard library; docs/detectors.md lists what differs.
"""

from __future__ import annotations

from yett.detector import Detector, Pattern, Validator
from yett_plugins import pii_checks as checks
from yett_plugins.presidio import Pack, Recognizer

# Presidio adds a recogniser's own code for this one: capitals only, and groups dropped from the end until one fits.
IBAN = "IbanRecognizer"


def presidio_pack(data: Pack) -> tuple[Detector, ...]:
    """One detector for each recogniser that `data` holds of those we use."""
    rules: tuple[tuple[str, str, str, Validator, int], ...] = (
        ("EmailRecognizer", "pii.email", "EMAIL", checks.email_of_presidio(data.tlds), 384),
        ("CreditCardRecognizer", "pii.credit_card", "CREDIT_CARD", checks.luhn_only, 32),
        (IBAN, "pii.iban", "IBAN", checks.iban_of_presidio, 64),
        ("IpRecognizer", "pii.ip", "IP", checks.any_ip, 80),
        ("UsSsnRecognizer", "pii.us_ssn", "US_SSN", checks.ssn_of_presidio, 16),
        ("CryptoRecognizer", "pii.crypto", "CRYPTO", checks.bitcoin, 64),
    )
    return tuple(
        Detector(
            name=code,
            code=code,
            entity=entity,
            patterns=_iban_patterns(data.recognizers[name]) if name == IBAN else _patterns(data.recognizers[name]),
            validator=validator,
            context=data.recognizers[name].words,
            max_len=max_len,
        )
        for name, code, entity, validator, max_len in rules
    )


def _patterns(recognizer: Recognizer) -> tuple[Pattern, ...]:
    return tuple(Pattern(p.name, p.regex, p.score, ignore_case=True) for p in recognizer.patterns)


def _iban_patterns(recognizer: Recognizer) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(f"{pattern.name} {number}", form, pattern.score, group=min(number, 1))
        for pattern in recognizer.patterns
        for number, form in enumerate(leading_groups(pattern.regex))
    )


def leading_groups(regex: str) -> tuple[str, ...]:
    """`regex`, and a form of it for each top-level group but the last, whose first group ends where that one does.

    `a(b)(c)d` gives `a(b)(c)d` and `a((b))(c)d`: what the group reports grows shorter from form to form.
    """
    starts: list[int] = []
    ends: list[int] = []
    depth = index = 0
    while index < len(regex):
        if regex[index] == "(":
            if depth == 0 and regex[index + 1] != "?":
                starts.append(index)
            depth += 1
        elif regex[index] == ")":
            depth -= 1
            if depth == 0 and len(ends) < len(starts):
                ends.append(index + 1)
        index += 2 if regex[index] == "\\" else 1
    wrapped = (f"{regex[: starts[0]]}({regex[starts[0] : end]}){regex[end:]}" for end in reversed(ends[:-1]))
    return (regex, *wrapped)
