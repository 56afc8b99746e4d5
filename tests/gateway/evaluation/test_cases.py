from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.eval_subjects import write_rows
from yett.evaluation.cases import DataError, Gold, Kind, read_cases
from yett.flow import Role

SECRET_TEXT = "the text that no message may quote"


def read(folder: Path, *rows: Any, limit: int | None = None) -> list[Any]:
    return read_cases([write_rows(folder / "rows.jsonl", *rows)], limit)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        pytest.param({"text": "a", "spans": []}, Kind.SPANS, id="spans"),
        pytest.param({"text": "a", "label": "attack"}, Kind.LABEL, id="label"),
        pytest.param({"text": "a", "negative_for": ["US_SSN"]}, Kind.NEGATIVE, id="negative"),
        pytest.param({"text": "a", "spans": [], "negative_for": ["US_SSN"]}, Kind.NEGATIVE, id="negative goes first"),
        pytest.param({"text": "a", "other": [{"deep": 1}]}, Kind.PLAIN, id="plain"),
    ],
)
def test_a_row_is_what_its_fields_say(tmp_path: Path, row: dict[str, Any], kind: Kind) -> None:
    assert [case.kind for case in read(tmp_path, row)] == [kind]


@pytest.mark.parametrize(
    ("label", "task", "positive"),
    [
        ("attack", "attack", True),
        ("Benign", "attack", False),
        (1, "attack", True),
        (0, "attack", False),
        ("secret", "secret", True),
        ("clean", "secret", False),
    ],
)
def test_labels_are_sides_of_a_task(tmp_path: Path, label: object, task: str, positive: bool) -> None:
    (case,) = read(tmp_path, {"text": "a", "label": label})
    assert (case.task, case.positive) == (task, positive)


def test_a_case_keeps_what_figures_are_told_by(tmp_path: Path) -> None:
    row = {
        "text": "Ada",
        "spans": [{"start": 0, "end": 3, "label": "PERSON", "orig": "X"}],
        "source": "s",
        "role": "tool_result",
    }
    (case,) = read(tmp_path, row)
    assert (case.file, case.line, case.source, case.role) == ("rows.jsonl", 1, "s", Role.TOOL_RESULT)
    assert case.spans == (Gold(0, 3, "PERSON"),)


def test_offsets_count_characters_not_bytes(tmp_path: Path) -> None:
    (case,) = read(tmp_path, {"text": "é😀b", "spans": [{"start": 2, "end": 3, "label": "X"}]})
    assert case.text[case.spans[0].start : case.spans[0].end] == "b"


BAD = {
    "not json": b'{"text": "' + SECRET_TEXT.encode() + b'"',
    "two members of one name": b'{"text": "a", "text": "b"}',
    "not utf-8": b'{"text": "\xff"}',
    "half a surrogate pair": b'{"text": "\\ud800"}',
    "an array": b"[1]",
    "no text": b'{"label": "attack"}',
    "empty text": b'{"text": ""}',
    "text is a number": b'{"text": 5}',
    "unknown label": b'{"text": "a", "label": "' + SECRET_TEXT.encode() + b'"}',
    "label is true": b'{"text": "a", "label": true}',
    "label is null": b'{"text": "a", "label": null}',
    "label is 1.0": b'{"text": "a", "label": 1.0}',
    "unknown role": b'{"text": "a", "role": "boss"}',
    "source is a list": b'{"text": "a", "source": []}',
    "spans is an object": b'{"text": "a", "spans": {}}',
    "a span is a list": b'{"text": "a", "spans": [[0, 1]]}',
    "a span without label": b'{"text": "a", "spans": [{"start": 0, "end": 1}]}',
    "start is true": b'{"text": "ab", "spans": [{"start": true, "end": 2, "label": "X"}]}',
    "start is 0.0": b'{"text": "ab", "spans": [{"start": 0.0, "end": 2, "label": "X"}]}',
    "an empty span": b'{"text": "ab", "spans": [{"start": 1, "end": 1, "label": "X"}]}',
    "a span before the text": b'{"text": "ab", "spans": [{"start": -1, "end": 1, "label": "X"}]}',
    "a span past the text": b'{"text": "ab", "spans": [{"start": 0, "end": 3, "label": "X"}]}',
    "negative for nothing": b'{"text": "a", "negative_for": []}',
    "negative for a number": b'{"text": "a", "negative_for": [1]}',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_a_bad_row_is_told_by_file_and_line_and_never_quoted(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "fine"}\n\n' + line + b"\n")
    with pytest.raises(DataError) as told:
        read_cases([path])
    assert str(told.value).startswith(f"{path}:3: ")
    assert SECRET_TEXT not in str(told.value)


def test_all_bad_rows_are_told_up_to_ten(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("nonsense\n" * 30)
    with pytest.raises(DataError) as told:
        read_cases([path])
    assert [line.split(":")[1] for line in str(told.value).splitlines()] == [str(n) for n in range(1, 11)]


@pytest.mark.parametrize("content", ["", "\n\n"], ids=["empty", "blank lines"])
def test_a_file_without_rows_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(DataError, match="no rows"):
        read_cases([tmp_path / "rows.jsonl"])


def test_a_missing_file_and_an_empty_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_cases([tmp_path / "none.jsonl"])
    with pytest.raises(DataError, match=r"no \*\.jsonl"):
        read_cases([tmp_path])


def test_a_folder_means_its_files_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_rows(tmp_path / f"{name}.jsonl", {"text": name})
    (tmp_path / "c.txt").write_text("not data")
    assert [case.file for case in read_cases([tmp_path])] == ["a.jsonl", "b.jsonl"]


def test_files_of_one_name_are_told_apart_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    paths = []
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        paths.append(write_rows(tmp_path / name / "rows.jsonl", {"text": name}))
    assert [case.file for case in read_cases([*paths, paths[0]])] == ["x/rows.jsonl", "y/rows.jsonl"]


def test_limit_is_per_file(tmp_path: Path) -> None:
    assert len(read(tmp_path, *[{"text": str(n)} for n in range(9)], limit=4)) == 4


def test_a_span_marked_twice_counts_once(tmp_path: Path) -> None:
    span = {"start": 0, "end": 1, "label": "X"}
    (case,) = read(tmp_path, {"text": "ab", "spans": [span, span]})
    assert len(case.spans) == 1


def test_a_line_may_be_long_but_not_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yett.evaluation.cases.MAX_LINE_BYTES", 1000)
    with pytest.raises(DataError, match=r"rows.jsonl:1: the line is longer"):
        read(tmp_path, json.loads(json.dumps({"text": "x" * 1000})))
