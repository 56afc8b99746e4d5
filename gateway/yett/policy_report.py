"""Everything `yett test` finds out about a policy folder, and its forms for machines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from yett.app import absent_codes, build_registry, present_value_key
from yett.at_hand import DetectorsAtHand
from yett.callables import CallableScans
from yett.config import Settings
from yett.policy.cases import read_cases
from yett.policy.examples import Tried, try_examples
from yett.policy.lint import Problem, lint
from yett.policy.loader import Surroundings, load_policies
from yett.rehearsal import CaseResult, rehearse
from yett.scan import ScanEngine


@dataclass(frozen=True, slots=True)
class PlacedTry:
    """One example after its trial, and where its rule stands."""

    tried: Tried
    where: str

    @property
    def failed(self) -> bool:
        """Whether the rule does not do what the example says."""
        return self.tried.failed


@dataclass(frozen=True, slots=True)
class Report:
    """What was tried, and how it went."""

    revision: str
    rules: tuple[str, ...]
    problems: tuple[Problem, ...]
    examples: tuple[PlacedTry, ...]
    cases: tuple[CaseResult, ...]

    @property
    def failures(self) -> int:
        """Examples and cases that failed."""
        return sum(one.failed for one in self.examples) + sum(bool(one.differences) for one in self.cases)

    def to_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "revision": self.revision,
            "rules": list(self.rules),
            "failures": self.failures,
            "problems": [asdict(one) for one in self.problems],
            "examples": [
                {"rule": t.rule, "where": one.where, "place": f"{t.place[0]}[{t.place[1]}]", "expected": t.expected}
                | {"got": t.got, "state": "skipped" if t.skipped else "failed" if t.failed else "passed"}
                for one in self.examples
                for t in (one.tried,)
            ],
            "cases": [asdict(one) for one in self.cases],
        }


def report_on(settings: Settings, folder: Path) -> Report:
    """Load, lint and try the policy in `folder` with the detectors of `settings`. Raises ConfigError, PluginError."""
    registry = build_registry(settings)
    detectors, contributed = registry.detectors(), registry.callables()
    inline = CallableScans([one for one in contributed if one.detector.isolation == "inline"])
    at_hand = DetectorsAtHand(ScanEngine(detectors), detectors, inline)
    key = present_value_key(settings)
    snapshot = load_policies(folder, Surroundings(value_key=key))
    cases = read_cases(folder)
    known = at_hand.known | {found.code for one in contributed for found in one.detector.finds}
    examples = [
        PlacedTry(tried, snapshot.place(rule).where)
        for rule in snapshot.rules
        for tried in try_examples(rule, at_hand, key)
    ]
    results = asyncio.run(rehearse(settings, folder, cases)) if cases else []
    return Report(
        snapshot.revision,
        tuple(rule.id for rule in snapshot.rules),
        tuple(lint(snapshot, known, absent_codes(settings))),
        tuple(examples),
        tuple(results),
    )


def junit_xml(report: Report) -> str:
    """The report as JUnit XML: one suite of examples, one of cases."""
    root = ET.Element("testsuites", name="yett test")
    _suite(root, "examples", _examples(report))
    _suite(root, "cases", _cases(report))
    ET.indent(root)
    raw: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return raw.decode() + "\n"


def _examples(report: Report) -> Iterator[tuple[str, str, float, str, str]]:
    for one in report.examples:
        tried = one.tried
        kind, index = tried.place
        told = f"{one.where}: {tried}" if tried.failed else ""
        yield tried.rule, f"{kind}[{index}]", 0.0, told, tried.got if tried.skipped else ""


def _cases(report: Report) -> Iterator[tuple[str, str, float, str, str]]:
    for one in report.cases:
        told = "\n".join(f"{d.what}: expected {d.expected}, got {d.got}" for d in one.differences)
        yield one.where.rpartition(":")[0], one.name, one.took_s, told and f"{one.where}\n{told}", ""


def _suite(root: ET.Element, name: str, rows: Iterator[tuple[str, str, float, str, str]]) -> None:
    """One suite; a row is (class, name, seconds, failure, why skipped)."""
    suite = ET.SubElement(root, "testsuite", name=name)
    tests = failures = skipped = 0
    for group, title, took_s, failed, left_out in rows:
        case = ET.SubElement(suite, "testcase", classname=_xml(group), name=_xml(title), time=f"{took_s:.3f}")
        tests += 1
        if failed:
            failures += 1
            ET.SubElement(case, "failure", message=_xml(failed.splitlines()[0])).text = _xml(failed)
        elif left_out:
            skipped += 1
            ET.SubElement(case, "skipped", message=_xml(left_out))
    suite.attrib.update(tests=str(tests), failures=str(failures), skipped=str(skipped), errors="0")


def _xml(text: str) -> str:
    """`text` without the characters that XML cannot carry."""
    return "".join(
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe") else "\ufffd" for c in text
    )
