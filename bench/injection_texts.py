"""Texts of our own that teach the injection classifier, made from grammars and a seed (`injection_*.toml`).

They stand for kinds of attack that no data set at hand has, for the same words in innocent use, and for the documents
that tools return: names, numbers, keys and everyday notices are no attack wherever they stand.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
HARMFUL_SLOTS = ("harm", "screed")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


class Text(NamedTuple):
    """One text; `payload` is the attack alone where it stands inside a document."""

    kind: str
    text: str
    attack: bool
    payload: str = ""


def texts(each: int, documents: int) -> Iterator[Text]:
    """`each` fillings of every template, `documents` documents with an attack and as many without; always the same."""
    seeds = _read("seeds")
    attacks = _sentences(seeds, ("attacks", "smuggled"), each, 1)
    yield from (Text("seeds_attack", text, True) for text in attacks)
    yield from (Text("seeds_gibberish", text, True) for text in _with_gibberish(attacks, seeds, 6 * each))
    yield from (Text("seeds_benign", text, False) for text in _sentences(seeds, ("benign",), each, 2))
    for language in _read("languages").values():
        yield from (Text("seeds_languages_attack", text, True) for text in language["attacks"])
        yield from (Text("seeds_languages_benign", text, False) for text in language["benign"])
    yield from _Documents(seeds["documents"], 3).make(documents, _sentences(seeds, ("smuggled",), each, 4))


def ideas() -> dict[str, str]:
    """Each word with the idea it stands for; a word of two ideas keeps the first."""
    table: dict[str, str] = {}
    for idea, words in _read("words").items():
        for word in words.split():
            for form in _forms(word):
                table.setdefault(form.lower(), idea)
    return table


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"injection_{name}.toml").read_text("utf-8"))


def _forms(word: str) -> list[str]:
    """The word, or with `*` its regular English forms."""
    if not word.endswith("*"):
        return [word]
    stem = word[:-1]
    if stem.endswith("e"):
        return [stem, stem + "s", stem + "d", stem[:-1] + "ing", stem + "r", stem + "rs"]
    if stem.endswith("y") and stem[-2] not in "aeiou":
        return [stem, stem[:-1] + "ies", stem[:-1] + "ied", stem + "ing"]
    twice = stem + stem[-1]
    return [stem, *(stem + end for end in ("s", "es", "ed", "ing", "er", "ers")), twice + "ed", twice + "ing"]


def _sentences(seeds: Mapping[str, Any], kinds: Sequence[str], each: int, seed: int) -> list[str]:
    """`each` different fillings of every template of `kinds` (fewer where it has fewer)."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    for template in (template for kind in kinds for template in seeds[kind]):
        found |= dict.fromkeys(_fill(template, seeds["slots"], chance) for _ in range(each))
    return list(found)


def _fill(template: str, slots: Mapping[str, Sequence[str]], chance: random.Random) -> str:
    text = _CHOICE.sub(lambda found: chance.choice(found[1].split("|")), template)
    for _ in range(2):
        text = _SLOT.sub(lambda found: chance.choice(slots[found[1]]), text)
    text = " ".join(text.split())
    return text[0].upper() + text[1:] if chance.random() < 0.7 else text


def _with_gibberish(attacks: Sequence[str], seeds: Mapping[str, Any], count: int) -> list[str]:
    """Harmful requests with a suffix like those that a search over tokens finds: shards of words and code."""
    chance = random.Random(7)
    wanted = [phrase for slot in HARMFUL_SLOTS for phrase in seeds["slots"][slot]]
    harmful = [text for text in attacks if any(phrase in text for phrase in wanted)]
    chosen = chance.sample(harmful, min(len(harmful), count))
    return [f"{text} {_gibberish(seeds['syllables'], seeds['shards'], chance)}" for text in chosen]


def _gibberish(syllables: Sequence[str], shards: Sequence[str], chance: random.Random) -> str:
    parts = []
    for _ in range(chance.randint(10, 24)):
        word = "".join(chance.choice(syllables) for _ in range(chance.choice((1, 1, 1, 2, 2, 3))))
        parts.append(word + chance.choice(("", " ", " ", " ")))
        if chance.random() < 0.55:
            parts.append(chance.choice(shards) + chance.choice(("", " ")))
    return "".join(parts).strip()


class _Documents:
    """Documents in the forms that tools return, from word lists and a seed."""

    def __init__(self, words: Mapping[str, Sequence[str]], seed: int) -> None:
        self._words = words
        self._chance = random.Random(seed)

    def make(self, count: int, attacks: Sequence[str]) -> Iterator[Text]:
        """`count` documents without an attack, then `count` with one of `attacks`."""
        forms = (self._json, self._yaml, self._mail, self._html, self._table, self._log)
        for _ in range(count):
            yield Text("seeds_document", self._chance.choice(forms)(""), False)
        for _ in range(count):
            payload = self._chance.choice(attacks)
            yield Text("seeds_document_attack", self._chance.choice(forms)(payload), True, payload)

    def _word(self) -> str:
        return self._chance.choice(self._words["words"])

    def _name(self) -> str:
        return self._chance.choice(self._words["names"])

    def _notice(self) -> str:
        return self._chance.choice(self._words["notices"]).replace("{}", self._word())

    def _day(self) -> str:
        return f"2022-{self._chance.randint(1, 12):02}-{self._chance.randint(1, 28):02}"

    def _value(self) -> object:
        chance = self._chance
        kinds: tuple[Callable[[], object], ...] = (
            lambda: chance.randint(1, 99999),
            lambda: round(chance.uniform(1, 2000), 2),
            lambda: chance.choice((True, False)),
            lambda: chance.choice(self._words["states"]),
            self._name,
            lambda: f"{self._word()}_{chance.randint(1, 999)}",
            lambda: f"{self._day()}T{chance.randint(0, 23):02}:15:00Z",
            lambda: f"{self._word()}{chance.randint(1, 99)}@example.com",
            lambda: f"https://www.example.com/{self._word()}/{self._word()}",
            self._notice,
            self._notice,
            lambda: chance.randbytes(8).hex(),
            lambda: f"{self._word()} {self._word()}",
        )
        return chance.choice(kinds)()

    def _records(self, payload: str) -> list[dict[str, object]]:
        chance = self._chance
        records: list[dict[str, object]] = []
        for _ in range(chance.randint(1, 5)):
            keys = chance.sample(self._words["keys"], chance.randint(3, 8))
            records.append({key: self._value() for key in keys})
        if payload:
            chance.choice(records)[chance.choice(("content", "description", "notes", "body", "title"))] = payload
        return records

    def _json(self, payload: str) -> str:
        data = {self._word() + "s": self._records(payload)}
        return self._chance.choice((lambda: json.dumps(data, indent=2), lambda: json.dumps(data), lambda: str(data)))()

    def _yaml(self, payload: str) -> str:
        lines = []
        for record in self._records(payload):
            lines += [f"{'  ' if at else '- '}{key}: {value}" for at, (key, value) in enumerate(record.items())]
        return "\n".join(lines)

    def _with(self, lines: list[str], payload: str) -> list[str]:
        if payload:
            lines.insert(self._chance.randint(0, len(lines)), payload)
        return lines

    def _notices(self, payload: str) -> list[str]:
        return self._with([self._notice() for _ in range(self._chance.randint(2, 8))], payload)

    def _mail(self, payload: str) -> str:
        head = f"Subject: {self._word()} {self._word()}\nFrom: {self._name()}\n\nHi {self._name()},\n"
        return head + " ".join(self._notices(payload)) + f"\nBest regards,\n{self._name()}"

    def _html(self, payload: str) -> str:
        forms = ("<p>{}</p>", "<p>{}</p>", f'<div class="{self._word()}">{{}}</div>')
        body = "".join(self._chance.choice(forms).replace("{}", line) for line in self._notices(payload))
        head = f"<!DOCTYPE html><html><head><title>{self._word()}</title><style>body {{margin: 0;}}</style></head>"
        link = f'<a href="https://example.com/{self._word()}">more</a>'
        return f"{head}<body><h1>{self._word()}</h1>{body}{link}</body></html>"

    def _table(self, payload: str) -> str:
        keys = self._chance.sample(self._words["keys"], 4)
        rows = [" | ".join(str(self._value()) for _ in keys) for _ in range(self._chance.randint(3, 8))]
        return "\n".join([" | ".join(keys), *self._with(rows, payload)])

    def _log(self, payload: str) -> str:
        levels = ("INFO", "WARN", "ERROR", "DEBUG")
        lines = [
            f"{self._day()} 09:{self._chance.randint(0, 59):02}:11 {self._chance.choice(levels)} {self._word()}: "
            + self._notice()
            for _ in range(self._chance.randint(3, 8))
        ]
        return "\n".join(self._with(lines, payload))
