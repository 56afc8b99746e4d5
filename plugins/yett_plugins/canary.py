"""Canaries: strings that stand in system prompts only, and system prompts themselves, found in answers.

Three things raise `leak.system_prompt`: a canary of the operator's, one derived from a secret (`canary_token`), and a
long piece of this request's own system prompt. Canaries are patterns, so streams are guarded to the character; the
comparison with the system prompt needs the whole answer and holds a stream back to its end, so it is a setting.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from yett.detector import CallableDetector, Detector, Found, Pattern, Streaming
from yett.flow import FlowView, Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action

CODE = "leak.system_prompt"
_SHARE = 0.6  # of a canary that is enough
_GAP = r"[\s\-_.,*|/\\]{0,3}"
_MOST_TRIES = 500
_ID_LEN, _MAC_LEN, _LEAST_MAC = 8, 16, 6
_DERIVED = rf"(?<![a-z0-9])y{_GAP}t{_GAP}c(?:{_GAP}[a-z2-7]){{14,24}}"
_NOT_SAID = re.compile(r"[\W_]+")
_RUN = re.compile(r"[A-Za-z0-9+/_\-]{40,}")
Token = Annotated[str, StringConstraints(min_length=8, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class Canary:
    """Finds leaks of the system prompt in answers."""

    name = "canary"
    optional = True
    codes = (CODE,)

    class Config(BaseModel):
        """`tokens`: the operator's canaries. `secret`: recognise tokens that `canary_token` made with it.

        `prompt_characters`: how many letters and digits of this request's system prompt in a row are a leak; 0: it is
        not compared. Comparing holds streams back to their end.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        tokens: tuple[Token, ...] = ()
        secret: Annotated[SecretStr, Field(min_length=16)] | None = None
        prompt_characters: Annotated[int, Field(ge=0, le=10_000)] = 0

        @model_validator(mode="after")
        def _can_be_told_apart(self) -> Canary.Config:
            if any(len(_said(token)) < 8 for token in self.tokens):
                raise ValueError("a canary needs eight letters or digits")
            if 0 < self.prompt_characters < 30:
                raise ValueError("prompt_characters is 0 or at least 30: shorter pieces are common phrases")
            return self

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector | CallableDetector]:
        """Up to three detectors with one code."""
        config = self.config
        if config.tokens:
            regexes = [regex for token in config.tokens for regex in variants(token)]
            yield _declarative("canary", regexes, 1024)
        if config.secret is not None:
            check = partial(is_derived, config.secret.get_secret_value())
            yield _declarative("canary.derived", [_DERIVED], 128, check)
        if config.prompt_characters:
            yield CallableDetector(
                name="canary.prompt",
                make="yett_plugins.canary:make_scanner",
                options={"characters": config.prompt_characters},
                finds=(
                    Detector(
                        name=f"{CODE}.prompt",
                        code=CODE,
                        entity="SYSTEM_PROMPT",
                        patterns=(),
                        reversible=False,
                        default=Action.DENY,
                        concerns=partial(repeats_prompt, characters=config.prompt_characters),
                    ),
                ),
                phases=frozenset({Phase.RESPONSE}),
                streaming=Streaming.HOLD_ALL,
                isolation="inline",
            )


def _declarative(name: str, regexes: Sequence[str], max_len: int, check: partial[bool] | None = None) -> Detector:
    return Detector(
        name=name,
        code=CODE,
        entity="SYSTEM_PROMPT",
        patterns=tuple(Pattern(f"{name} {at}", regex, 0.95, ignore_case=True) for at, regex in enumerate(regexes)),
        validator=check,
        reversible=False,
        max_len=max_len,
        default=Action.DENY,
        priority=20,
        phases=frozenset({Phase.RESPONSE}),  # every request carries it
    )


def canary_token(secret: str, key_id: str, day: str) -> str:
    """A canary to put into system prompts: for one API key and one day (any text), recognised by `secret` alone."""
    identity = _code(secret, f"id|{key_id}|{day}")[:_ID_LEN]
    return f"ytc{identity}{_code(secret, f'mac|{identity}')[:_MAC_LEN]}"


def is_derived(secret: str, matched: str) -> bool:
    """Whether `matched` begins with 60 % or more of a token that was made with `secret`; what follows is no matter."""
    said = _said(matched)[3:]
    identity, mac = said[:_ID_LEN], said[_ID_LEN:]
    return _shared(_code(secret, f"mac|{identity}"), mac) >= _LEAST_MAC


def _code(secret: str, text: str) -> str:
    return base64.b32encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode().lower()


def variants(token: str) -> list[str]:
    """Patterns for `token` and for 60 % of it in a row: as it is, spelt out, backwards, in rot13.

    Base64, hex and URL encoding are undone by the scan view.
    """
    said = _said(token)
    return [_pieces(form) for form in dict.fromkeys((said, said[::-1], codecs.encode(said, "rot13")))]


def _pieces(text: str) -> str:
    """A pattern for every run of at least 60 % of `text`, longest first."""
    least = math.ceil(len(text) * _SHARE)
    runs = []
    for start in range(len(text) - least + 1):
        more = ""
        for character in reversed(text[start + least :]):
            more = f"(?:{_GAP}{re.escape(character)}{more})?"
        runs.append(_GAP.join(map(re.escape, text[start : start + least])) + more)
    return "|".join(runs)


class WholeAnswers:
    """Offers whole answers to `repeats_prompt`, which knows the flow."""

    def __init__(self, characters: int) -> None:
        self._characters = characters

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """Each text that is long enough to repeat anything."""
        return [[Found(0, len(text), CODE, 0.9)] if len(text) >= self._characters else [] for text in texts]


def make_scanner(characters: int) -> WholeAnswers:
    """The scanner for pieces of so many characters."""
    return WholeAnswers(characters)


def repeats_prompt(flow: FlowView, answer: str, *, characters: int) -> bool:
    """Whether `answer` says `characters` letters and digits of the system prompt in a row, that nobody else said."""
    prompts = [said for leaf in flow.asked if leaf.role is Role.SYSTEM and len(said := _said(leaf.text)) >= characters]
    if not prompts:
        return False
    heard = [_said(text) for text in (answer, *_decoded(answer))]
    others = [_said(leaf.text) for leaf in flow.asked if leaf.role is not Role.SYSTEM]
    return any(
        all(piece not in other for other in others)
        for prompt in prompts
        for said in heard
        for piece in _common(prompt, said, characters)
    )


def _common(prompt: str, said: str, characters: int) -> Iterable[str]:
    """Pieces of `prompt` with at least `characters` that are in `said`.

    Each of them contains a block of half that length that begins at a multiple of it, so only blocks are searched for.
    """
    half = characters // 2
    blocks = {prompt[start : start + half]: start for start in range(0, len(prompt) - half + 1, half)}
    for block, start in blocks.items():
        tries = 0
        at = said.find(block)
        while at >= 0 and tries < _MOST_TRIES:
            tries += 1
            before = _shared(prompt[max(0, start - characters) : start][::-1], said[max(0, at - characters) : at][::-1])
            after = _shared(prompt[start : start + characters], said[at : at + characters])
            if before + after >= characters:
                yield prompt[start - before : start + after]
                break
            at = said.find(block, at + 1)


def _shared(left: str, right: str) -> int:
    """How many characters `left` and `right` begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _decoded(text: str) -> Iterable[str]:
    """What long runs of base64 or hex in `text` say."""
    for run in _RUN.findall(text):
        for decode in (_from_base64, bytes.fromhex):
            try:
                yield decode(run).decode()
            except ValueError:
                continue


def _from_base64(run: str) -> bytes:
    return base64.b64decode(
        run + "=" * (-len(run) % 4), altchars=b"-_" if {"-", "_"} & set(run) else None, validate=True
    )


def _said(text: str) -> str:
    """The letters and digits of `text`, small."""
    return _NOT_SAID.sub("", text).lower()
