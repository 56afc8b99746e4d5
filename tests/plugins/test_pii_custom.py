"""Users' own recognisers: they find, stream and redact like the built-in ones, and bad ones stop the start by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.detectors import CACHE, codes, engine
from yett.errors import PluginError
from yett.scan import ScanEngine
from yett_plugins import Pii

GOOD = """
supported_languages: [en, de]
recognizers:
  - name: Badge recognizer
    supported_entity: STAFF_BADGE
    supported_language: en
    patterns:
      - {name: badge, regex: 'B([-/])[0-9]{3}\\1[0-9]{3}', score: 0.9}
      - {name: bare, regex: '\\bB[0-9]{6}\\b', score: 0.05}
    context: [badge]
  - name: Titles
    type: custom
    supported_entities: [Job-Title]
    supported_languages:
      - {language: en, context: [role]}
      - de
    deny_list: [Dr., Chief Officer, Dr. h.c.]
  - name: CreditCardRecognizer
    type: predefined
    supported_languages:
      - {language: it, context: [tessera]}
  - {name: Polish, class_name: PlPeselRecognizer, type: predefined, country_code: pl}
  - {name: PhoneRecognizer, type: predefined}
  - {name: SpacyRecognizer, type: predefined, enabled: false}
  - name: Off
    enabled: false
    supported_entity: NOTHING
    patterns: [{name: x, regex: 'nothing', score: 1.0}]
"""


def pii_of(file: Path | None = None, *classes: str) -> Pii:
    files = (file,) if file else ()
    return Pii(Pii.Config(cache_dir=CACHE, recognizer_files=files, recognizers=classes))


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "recognizers.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def scanner(tmp_path: Path) -> ScanEngine:
    return engine(tuple(pii_of(written(tmp_path, GOOD)).register_detectors()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a B-123-456 b", {"pii.staff_badge": ["B-123-456"]}, id="pattern with a reference back"),
        pytest.param("a B/123/456 b", {"pii.staff_badge": ["B/123/456"]}, id="the other separator"),
        pytest.param("a B-123/456 b", {}, id="mixed separators"),
        pytest.param("badge b123456", {"pii.staff_badge": ["b123456"]}, id="weak pattern near its word"),
        pytest.param("b123456", {}, id="weak pattern alone"),
        pytest.param("ask dr. h.c. Who", {"pii.job_title": ["dr. h.c."]}, id="deny list, longest word"),
        pytest.param("chief officers", {}, id="deny list, whole words only"),
        pytest.param("44051401359", {"pii.pl_pesel": ["44051401359"]}, id="predefined recogniser by class name"),
        pytest.param("tessera 41 11 11 11 11 11 11 11", {"pii.credit_card": ["41 11 11 11 11 11 11 11"]}, id="words"),
        pytest.param("nothing", {}, id="not enabled"),
    ],
)
def test_a_file_of_recognisers(scanner: ScanEngine, text: str, expected: dict[str, list[str]]) -> None:
    assert codes(scanner, text) == expected


def test_they_stream_as_they_scan(scanner: ScanEngine) -> None:
    text = "the badge B123456, B-123-456; Chief Officer of 44051401359 "
    assert scanner._stream(text) == scanner.scan(text)
    assert len(scanner.scan(text)) == 4


def test_presidios_own_example_and_default_files_load(tmp_path: Path) -> None:
    example = GOOD.split("  - name: CreditCard", maxsplit=1)[0] + "    deny_list_score: 0.5\n"
    assert len(list(pii_of(written(tmp_path, example)).register_detectors())) > 10


def entry(**fields: object) -> str:
    lines = [f"{key}: {value}" for key, value in ({"name": "Mine", "supported_entity": "MINE"} | fields).items()]
    return "recognizers:\n  - " + "\n    ".join(lines) + "\n"


def pattern(regex: str, score: float = 0.9) -> str:
    return f"[{{name: p, regex: '{regex}', score: {score}}}]"


BAD = {
    "no YAML": ("recognizers: [", "not valid YAML"),
    "no list": ("recognizers: 1", "has no list `recognizers:`"),
    "another key": ("recognizers: []\nrecognisers: []", "unknown key 'recognisers'"),
    "flags that are no number": ("recognizers: []\nglobal_regex_flags: all", "global_regex_flags is not a number"),
    "an entry that is no mapping": ("recognizers: [1]", r"recognizers.yaml:1: "),
    "a typo": (entry(pattern="x"), r"yaml:2: recogniser 'Mine': pattern: "),
    "no entity": (entry(supported_entity="null", patterns=pattern("abc")), "'Mine': has no supported_entity"),
    "an entity of no letters": (entry(supported_entity="'--'", patterns=pattern("abc")), "the entity must be a word"),
    "nothing to look for": (entry(), "'Mine': has neither patterns nor a deny_list"),
    "no regex": (entry(patterns=pattern("(")), "'Mine': detector pii.own.mine, pattern p: it cannot be analysed"),
    "an endless look-around": (entry(patterns=pattern("(?=.*x)abc")), "a look-around in it has no longest width"),
    "a reference back": (entry(patterns=pattern(r"(\w+) \1")), "'Mine': detector pii.own.mine, pattern p: it refers"),
    "the empty text": (entry(patterns=pattern("a*")), "it matches the empty text"),
    "a score over one": (entry(patterns=pattern("abc", 2)), "patterns.0.score"),
    "too weak to be found": (entry(patterns=pattern("abc", 0.1)), "needs context words or a check"),
    "a recogniser that needs a model": ("recognizers: [{name: SpacyRecognizer, type: predefined}]", "enabled: false"),
    "two of one name": (
        entry(patterns=pattern("abc")) + entry(patterns=pattern("def")).split("\n", 1)[1],
        "two recognisers are named 'Mine'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_stops_the_start_and_says_where(tmp_path: Path, name: str) -> None:
    text, message = BAD[name]
    with pytest.raises(PluginError, match=r"recognizers\.yaml") as caught:
        tuple(pii_of(written(tmp_path, text)).register_detectors())
    assert message in str(caught.value)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="cannot read the file"):
        tuple(pii_of(tmp_path / "none.yaml").register_detectors())


def test_a_known_entity_keeps_its_code(tmp_path: Path) -> None:
    file = written(tmp_path, entry(supported_entity="EMAIL_ADDRESS", patterns=pattern("mail of [a-z]+ at work")))
    assert codes(engine(tuple(pii_of(file).register_detectors())), "mail of ada at work") == {
        "pii.email": ["mail of ada at work"]
    }


MODULE = """
from presidio_analyzer import Pattern, PatternRecognizer

class Badge(PatternRecognizer):
    def __init__(self):
        super().__init__("STAFF_BADGE", patterns=[Pattern("badge", r"\\bB-\\d{6}\\b", 0.1)], context=["badge"])

    def validate_result(self, text):
        print("checking")
        return True if text.endswith("0") else None

    def invalidate_result(self, text):
        return text == "B-000000"

vips = PatternRecognizer("VIP", name="vips", deny_list=["Ada Lovelace"])
"""


def test_classes_of_the_users_with_and_without_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "badges_of_ours.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    plugin = pii_of(None, "badges_of_ours:Badge", "badges_of_ours:vips")
    try:
        scanner = engine(tuple(plugin.register_detectors()))
        text = "B-123450 and B-123451 and B-000000; badge B-123452 of ada lovelace"
        assert codes(scanner, text) == {"pii.staff_badge": ["B-123450", "B-123452"], "pii.vip": ["ada lovelace"]}
        assert scanner._stream(text) == scanner.scan(text)
    finally:
        plugin.gateway_stopping()
