"""Files in gitleaks' form: every table is known, what has no meaning here is told, what cannot be done is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from yett.errors import ConfigError
from yett_plugins.gitleaks_file import code_of, load, names_of

RULE = "[[rules]]\nid = 'a'\nregex = 'secret-[a-z]{8}'\n"


def write(folder: Path, text: str, name: str = "rules.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_table_of_the_form_is_read(tmp_path: Path) -> None:
    text = """
title = "t"
minVersion = "v8.25.0"
[allowlist]
description = "d"
paths = ['x']
regexes = ['^true$']
stopwords = ["abc"]
[[rules]]
id = "one"
description = "d"
regex = 'a(b)c'
secretGroup = 1
entropy = 3.5
keywords = ["abc"]
tags = ["t"]
[[rules.allowlists]]
condition = "AND"
regexTarget = "match"
regexes = ['b']
stopWords = ["c"]
[[rules]]
id = "two"
regex = 'd'
[rules.allowlist]
commits = ["c0ffee"]
"""
    file = load(write(tmp_path, text))
    (one, lists), (two, others) = file.rules
    assert (one.id, one.secret_group, one.entropy, one.keywords) == ("one", 1, 3.5, ("abc",))
    assert [(each.all_of, each.regex_target, each.stop_words) for each in lists] == [
        (True, "match", ("c",)),
        (False, "", ("abc",)),
    ]
    assert two.id == "two"
    assert [each.regexes for each in others] == [("^true$",)]  # the list of commits says nothing about texts
    assert any("paths and commits" in note for note in file.notes)


def test_rules_that_say_nothing_about_texts_are_left_out_and_told(tmp_path: Path) -> None:
    text = RULE + (
        "[[rules]]\nid = 'path'\npath = '\\.p12$'\n"
        "[[rules]]\nid = 'part'\nregex = 'x'\nskipReport = true\n"
        "[[rules]]\nid = 'both'\nregex = 'x'\npath = '\\.tf$'\n"
    )
    file = load(write(tmp_path, text))
    assert [rule.id for rule, _ in file.rules] == ["a", "both"]
    assert len(file.notes) == 3
    assert "path is left out" in file.notes[0]
    assert "part is left out" in file.notes[1]
    assert "both applies to all texts" in file.notes[2]


@pytest.mark.parametrize("name", ["a", "secret.a", "b.one", "b", "secret.b"])
def test_rules_are_disabled_by_any_of_their_names(tmp_path: Path, name: str) -> None:
    file = load(write(tmp_path, RULE + "[[rules]]\nid = 'b.one'\nregex = 'x'\n"), frozenset({name}))
    assert [rule.id for rule, _ in file.rules] == [name_ for name_ in ("a", "b.one") if name not in names_of(name_)]
    assert len(file.rules) == 1
    assert name in file.names


def test_a_global_list_may_be_for_some_rules_only(tmp_path: Path) -> None:
    text = RULE + "[[rules]]\nid = 'b'\nregex = 'x'\n[[allowlists]]\ntargetRules = ['b']\nstopwords = ['s']\n"
    rules = load(write(tmp_path, text)).rules
    assert [len(lists) for _, lists in rules] == [0, 1]


def test_a_file_extends_another(tmp_path: Path) -> None:
    write(
        tmp_path, RULE + "keywords = ['k']\n[[rules]]\nid = 'b'\nregex = 'x'\n[allowlist]\nstopwords = ['s']\n", "base"
    )
    text = "[extend]\npath = 'base'\ndisabledRules = ['b']\n"
    text += "[[rules]]\nid = 'a'\nentropy = 2.0\n[[rules]]\nid = 'c'\nregex = 'y'\n"
    (a, lists), (c, _) = load(write(tmp_path, text)).rules
    assert (a.id, a.regex, a.entropy, a.keywords) == ("a", "secret-[a-z]{8}", 2.0, ("k",))
    assert lists[0].stop_words == ("s",)
    assert c.id == "c"


ERRORS = {
    "not TOML": ("[[rules", "not TOML"),
    "a rule without id": ("[[rules]]\nregex = 'x'", "rule 1: id"),
    "a rule without regex": ("[[rules]]\nid = 'x'", "rule x: it has neither regex nor path"),
    "two of one id": (RULE + RULE, "two rules have the id a"),
    "an unknown key": (RULE + "regx = 'y'", "rule a: regx"),
    "a wrong type": (RULE + "entropy = 'high'", "rule a: entropy"),
    "an unknown condition": (RULE + "[[rules.allowlists]]\ncondition = 'maybe'", "rule a: allowlists.0.condition"),
    "an unknown target": (RULE + "[[rules.allowlists]]\nregexTarget = 'commit'", "rule a: allowlists.0.regextarget"),
    "useDefault": ("[extend]\nuseDefault = true\n", "do not ship"),
    "url": ("[extend]\nurl = 'https://example.org/x'\n", "`path` only"),
    "extending itself": ("[extend]\npath = 'rules.toml'\n", "extend one another"),
    "extending nothing": ("[extend]\npath = 'nowhere.toml'\n", "FileNotFoundError"),
    "required": (RULE + "[[rules.required]]\nid = 'b'\n", "rule a: `required` is not supported"),
    "a list for no rule": (RULE + "[[allowlists]]\ntargetRules = ['z']\nstopwords = ['s']\n", "do not exist: z"),
    "a max_len too long": (RULE + "[rules.yett]\nmax_len = 20000\n", "rule a: yett.max_len"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_name_file_and_rule(tmp_path: Path, name: str) -> None:
    text, why = ERRORS[name]
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert why in str(caught.value)
    assert ".toml" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "not UTF-8"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize(
    ("rule_id", "code"),
    [
        ("aws-access-token", "secret.aws_access_token"),
        ("jwt.encrypted", "secret.jwt"),
        ("1password-Key", "secret.1password_key"),
    ],
)
def test_codes(rule_id: str, code: str) -> None:
    assert code_of(rule_id) == code
