"""Detectors out of gitleaks rules: they stream, cache and redact like every other.

The regex becomes a pattern; entropy, stop words and allow-lists become its validator. Three things differ from
gitleaks, and docs/secrets.md explains them: keywords count in the match or shortly before it, not anywhere in the text;
an allow-list for the line sees the match; where a validator must see more than the secret, the whole match is redacted.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import re2

from yett.detector import DEFAULT_MAX_LEN, Detector, Pattern, Validator
from yett.errors import ConfigError
from yett.verdict import Action
from yett_plugins.gitleaks_file import Allowlist, Rule, RuleFile, code_of
from yett_plugins.gitleaks_regex import Translated, translate
from yett_plugins.gitleaks_syntax import Unsupported

ENDLESS_MAX_LEN = 4096  # for a regex that has no longest match
MAX_LEN = 16 * 1024
KEYWORD_REACH = 256  # how far before a match a keyword may stand that the match itself does not hold
SCORE = 0.9

# What stands between a name and its value in code, settings, headers, JSON inside JSON and plain sentences.
_NAME_REST = (
    r"[\w.\- \t(]{0,16}?(?i:key|token|secret|passw(?:or)?d|pwd|pat|auth|credential)(?i:s?)(?![A-Za-z])[\w.\-]{0,12}"
    r"[\\\"'\x60\])]{0,4}[ \t]{0,4}(?:[:=]{1,2}>?|,|(?i:is)\b)[ \t]{0,4}[\\\"'\x60(<]{0,4}"
    r"(?i:(?:bearer|basic|splunk) )?"
)
_VALUE_END = r"(?![\w\-])"
_FILLER = re.compile(r"<(?:(\w+):)?(\d+)>")
_ALPHABETS = {
    "": "0a1B2c3D4e5F6g7H8i9JkLmNoPqRsTuVwXyZ",
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "digit": "1029384756",
    "upper": "A1B2C3D4E5F6G7H8J9KLMNPQRSTUVWXYZ",
    "lower": "a1b2c3d4e5f6g7h8j9klmnpqrstuvwxyz",
    "bech32": "QPZRY9X8GF",
}

Allowed = Callable[[str, str], bool]  # (secret, match): whether an allow-list says that it is none


def detectors(file: RuleFile, checks: Mapping[str, Validator], *, prefix: str, check: str = "") -> list[Detector]:
    """The detectors of a rule file. `check` is the one of rules that name none. Raises ConfigError."""
    found: list[Detector] = []
    for rule, allowlists in file.rules:
        wanted = rule.yett.check or check
        if wanted and wanted not in checks:
            raise ConfigError(f"rule {rule.id}: there is no check {wanted}", str(file.path))
        try:
            found += _detectors(rule, allowlists, f"{prefix}.{rule.id}", checks.get(wanted))
        except Unsupported as error:
            raise ConfigError(f"rule {rule.id}: {error}; `disable` leaves it out", str(file.path)) from None
    return found


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of `text`, in bits for each."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def filled(example: str) -> str:
    """`example` with `<36>` and `<hex:8>` written out, so that no file holds what looks like a key."""

    def run(found: re.Match[str]) -> str:
        alphabet = _ALPHABETS[found[1] or ""]
        return (alphabet * (int(found[2]) // len(alphabet) + 1))[: int(found[2])]

    return _FILLER.sub(run, example)


def _detectors(rule: Rule, allowlists: tuple[Allowlist, ...], name: str, check: Validator | None) -> list[Detector]:
    regex, group = _source(rule)
    sees_match = any(one.regexes and one.regex_target in {"match", "line"} for one in allowlists)
    pattern = translate(regex, group, rule.keywords, keep_run=sees_match)
    near = bool(rule.keywords) and not pattern.implied
    judge = _Judge(
        rule,
        tuple(_allowed(one) for one in allowlists),
        secret=_secret_finder(regex, group) if pattern.groups and (sees_match or near) else None,
        check=check,
    )
    groups = (0,) if judge.secret is not None else pattern.groups or (0,)
    found = [_detector(rule, name, pattern.regex, groups, pattern.high, judge.validator(in_match=near))]
    if near:
        found.append(_near(rule, name, pattern, judge))
    return found


def _source(rule: Rule) -> tuple[str, int]:
    """The rule's regex and secret group; with `named`, the regex for the name and its value."""
    if not rule.yett.named:
        return rule.regex, rule.secret_group
    return rf"(?:\b|_)(?i:{rule.yett.named}){_NAME_REST}({rule.regex}){_VALUE_END}", 1


def _near(rule: Rule, name: str, pattern: Translated, judge: _Judge) -> Detector:
    """The same regex shortly after one of its keywords, for a match that holds none itself."""
    words = "|".join(re.escape(word) for word in rule.keywords)
    body, groups = (pattern.regex, pattern.groups) if pattern.groups else (f"({pattern.regex})", (1,))
    regex = rf"(?i:{words})[\s\S]{{0,{KEYWORD_REACH}}}?(?:{body})"
    high = None if pattern.high is None else pattern.high + KEYWORD_REACH + max(map(len, rule.keywords))
    plain = _Judge(rule, judge.allowed, secret=None, check=judge.check)
    return _detector(rule, f"{name}+keyword", regex, groups, high, plain.validator(in_match=False))


def _detector(
    rule: Rule,
    name: str,
    regex: str,
    groups: tuple[int, ...],
    high: int | None,
    validator: Validator | None,
) -> Detector:
    wanted = ENDLESS_MAX_LEN if high is None else max(DEFAULT_MAX_LEN, high + 8)
    return Detector(
        name=name,
        code=code_of(rule.id),
        entity="SECRET",
        patterns=tuple(Pattern(f"{name} {number}", regex, SCORE, group) for number, group in enumerate(groups)),
        validator=validator,
        reversible=False,
        max_len=rule.yett.max_len or min(wanted, MAX_LEN),
        default=Action.REDACT,
        priority=10,
        hit=tuple(map(filled, rule.yett.hit)),
        miss=tuple(map(filled, rule.yett.miss)),
    )


class _Judge:
    """What decides whether a match of one rule is a secret."""

    def __init__(
        self,
        rule: Rule,
        allowed: tuple[Allowed, ...],
        *,
        secret: Callable[[str], str] | None,
        check: Validator | None,
    ) -> None:
        self._rule = rule
        self.allowed = allowed
        self.secret = secret
        self.check = check

    def validator(self, *, in_match: bool) -> Validator | None:
        """The validator; `in_match` asks for one of the rule's keywords in what it is given. None: all count."""
        rule, allowed, secret_of, check = self._rule, self.allowed, self.secret, self.check
        keywords = tuple(word.lower() for word in rule.keywords) if in_match else ()
        if not (keywords or allowed or rule.entropy):
            return check

        def judge(text: str) -> bool | None:
            secret = secret_of(text) if secret_of is not None else text
            if rule.entropy and entropy(secret) <= rule.entropy:
                return False
            if keywords and not any(word in text.lower() for word in keywords):
                return False
            if any(one(secret, text) for one in allowed):
                return False
            return check(secret) if check is not None else None

        # The engine knows validators by their names: two that judge differently have different ones.
        facts = repr((rule.model_dump(exclude={"description", "tags"}), keywords, secret_of is None))
        judge.__qualname__ = f"judge.{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
        return judge


def _secret_finder(regex: str, group: int) -> Callable[[str], str]:
    """Finds the secret in the text of a match, as gitleaks does: the group, or the first that is not empty."""
    compiled = _compiled(regex)

    def find(match: str) -> str:
        found = compiled.search(match)
        if found is None:
            return match
        texts = (found[group],) if group else found.groups()
        return next((text for text in texts if text), match)

    return find


def _allowed(one: Allowlist) -> Allowed:
    regexes = [f"(?:{regex})" for regex in one.regexes]
    pattern = _compiled("|".join(regexes)) if regexes else None
    words = "|".join(re2.escape(word.lower()) for word in one.stop_words)
    stop = _compiled(words) if words else None
    in_secret = one.regex_target in {"", "secret"}
    # A condition on paths or commits never holds here, so a list that asks for all of its conditions allows nothing.
    if one.all_of and (one.paths or one.commits):
        return lambda _secret, _match: False

    def allowed(secret: str, match: str) -> bool:
        by_regex = pattern is not None and pattern.search(secret if in_secret else match) is not None
        by_word = stop is not None and stop.search(secret.lower()) is not None
        if one.all_of:
            return (by_regex or pattern is None) and (by_word or stop is None)
        return by_regex or by_word

    return allowed


def _compiled(regex: str) -> Any:  # re2 has no types
    """`regex` as gitleaks itself would run it. Raises Unsupported."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        why = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise Unsupported(f"an expression in it is refused by RE2: {why}") from None
