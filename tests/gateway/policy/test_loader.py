import json
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from helpers.detectors import engine, pii, secrets
from yett.at_hand import DetectorsAtHand
from yett.callables import CallableScans
from yett.errors import ConfigError
from yett.flow import Leaf, Phase
from yett.policy import PolicySource, Surroundings, load_policies
from yett.policy.model import schema_json
from yett.verdict import Action, Finding
from yett_plugins.output_exfil import OutputExfil

SHIPPED = Path(__file__).resolve().parents[3] / "policies"
RULE = "  - id: {}\n    when: {{finding: 'x.*'}}\n    do: {}\n"
FILE = "version: 1\nrules:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "policies"
    shutil.copytree(SHIPPED, target)
    return target


def test_equal_bytes_give_equal_revisions_and_any_byte_counts(folder: Path) -> None:
    first = load_policies(folder).revision
    assert first.startswith("sha256:")
    assert len(first) == len("sha256:") + 16
    assert load_policies(SHIPPED).revision == first
    seen = {first}
    for name in ("default.yaml", "strict.yaml", "rbac_model.conf", "rbac_policy.csv"):
        (folder / name).write_text((folder / name).read_text() + "\n# one more comment\n")
        seen.add(load_policies(folder).revision)
    assert len(seen) == 5


def test_the_revision_tells_files_apart(folder: Path) -> None:
    (folder / "a.yaml").write_text(FILE + RULE.format("r1", "deny"))
    one = load_policies(folder).revision
    (folder / "a.yaml").rename(folder / "b.yaml")
    assert load_policies(folder).revision != one


def test_more_files_add_rules_and_inactive_ones_do_not(folder: Path) -> None:
    (folder / "own.yaml").write_text(FILE + RULE.format("r1", "deny"))
    (folder / "off.yaml").write_text("active: false\n" + FILE + RULE.format("r2", "deny"))
    ids = [rule.id for rule in load_policies(folder).rules]
    assert "r1" in ids
    assert "r2" not in ids
    assert not any(name.startswith("strict") for name in ids)


BAD = [
    ("own.yaml", FILE + RULE.format("pii-in-requests", "deny"), "own.yaml:3: the rule id 'pii-in-requests' is taken ("),
    ("own.yaml", FILE + RULE.format("r", "deny") * 2, "own.yaml:6: the rule id 'r' is taken ("),
    ("off.yaml", "active: false\n" + FILE + RULE.format("r", "deny") * 2, "off.yaml:7: the rule id 'r' is taken ("),
    ("off.yaml", "active: false\n" + FILE + RULE.format("r", "den"), "off.yaml:6: rules[0].do: Input should be"),
    (
        "own.yaml",
        FILE + "  - id: r\n    wen: {}\n    do: deny\n",
        "own.yaml:4: unknown key 'rules[0].wen' (did you mean",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {findng: x}\n    do: deny\n",
        "own.yaml:4: unknown key 'rules[0].when.findng' (did you mean 'finding'?)",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: 'PII'}\n    do: deny\n",
        "own.yaml:4: rules[0].when.finding: a find",
    ),
    ("own.yaml", FILE + "  - when: {finding: x}\n    do: deny\n", "own.yaml:3: rules[0].id: this key is required"),
    ("own.yaml", "version: 2\nrules: []", "own.yaml:1: version: Input should be 1"),
    ("own.yaml", "rules: []", "own.yaml:1: version: this key is required"),
    ("own.yaml", "", "own.yaml: rules: this key is required"),
    ("own.yaml", "version: 1\nrules: []\nrules: []", "own.yaml:3: the key 'rules' stands here twice"),
    ("own.yml", FILE + RULE.format("r", "deny"), "own.yml: name policy files *.yaml"),
    ("default.yaml", None, "policies: the policy folder has no default.yaml"),
    ("rbac_model.conf", None, "policies: the policy folder has no rbac_model.conf"),
    ("rbac_policy.csv", None, "policies: the policy folder has no rbac_policy.csv"),
    ("rbac_policy.csv", "p, developer, *, model:*, use", "rbac_policy.csv:1: 4 fields after 'p'"),
    ("rbac_policy.csv", b"p, \xff", "rbac_policy.csv: the file is not UTF-8"),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x, taint: external}\n    do: deny\n",
        "own.yaml:4: unknown key 'rules[0].when.taint'",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    excpt: []\n",
        "own.yaml:6: unknown key 'rules[0].excpt' (did you mean 'except'?)",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    except:\n"
        "      - {match: {agent: a}, untill: 2027-01-01}\n",
        "own.yaml:7: unknown key 'rules[0].except[0].untill' (did you mean 'until'?)",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    except:\n"
        "      - {match: {agent: a}, until: 2027-02-30, reason: r, owner: o}\n",
        "own.yaml:7: rules[0].except[0].until: Input should be a valid date",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    sample: 0.5\n",
        "own.yaml:3: rules[0]: sample: a rule that acts acts always",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    restore: never\n",
        "own.yaml:3: rules[0]: restore says something about",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {tool: x}\n    do: redact\n",
        "own.yaml:3: rules[0]: do: redact needs a find",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    allow_values: [secret]\n",
        "own.yaml:6: rules[0].allow_values: sha256: or hmac:",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    examples: {redact: [a]}\n",
        "own.yaml:3: rules[0]: examples: those of this rule stand under deny and allow, not redact",
    ),
    (
        "own.yaml",
        FILE + "  - id: r\n    when: {finding: x}\n    do: deny\n    examples:\n      deny:\n        - {txt: a}\n",
        "own.yaml:8: unknown key 'rules[0].examples.deny[0].txt' (did you mean 'text'?)",
    ),
    ("own.yaml", "bind: {tennant: a}\n" + FILE, "own.yaml:1: unknown key 'bind.tennant' (did you mean 'tenant'?)"),
    ("own.yaml", "bind: {}\n" + FILE + RULE.format("r", "deny"), "own.yaml:1: bind: one of tenant, agent"),
    (
        "own.yaml",
        "bind: {tenant: acme}\n" + FILE + RULE.format("secrets-elsewhere", "deny"),
        "own.yaml:4: the rule id 'secrets-elsewhere' is taken (",
    ),
    ("rbac_model.conf", "", "rbac_model.conf: [request_definition] r is missing"),
]


@pytest.mark.parametrize(("name", "text", "told"), BAD, ids=[b[2] for b in BAD])
def test_a_bad_folder_is_told_with_file_and_line(name: str, text: str | bytes | None, told: str, folder: Path) -> None:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_policies(folder)
    assert told in str(caught.value).replace(f"{folder}/", "").replace(f"{folder.parent}/", "")


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the policy folder"):
        load_policies(tmp_path / "none")


def test_folders_and_other_files_are_left_alone(folder: Path) -> None:
    before = load_policies(folder).revision
    (folder / "tools").mkdir()
    (folder / "tools" / "bad.yaml").write_text("[")
    (folder / "README.md").write_text("[")
    (folder / ".swap.yaml").write_text("[")
    assert load_policies(folder).revision == before


def test_a_running_gateway_takes_good_changes_and_keeps_the_last_good_ones(folder: Path) -> None:
    source = PolicySource(folder)
    first = source.current
    assert source.poll() is False
    (folder / "own.yaml").write_text(FILE + RULE.format("r1", "deny"))
    assert source.poll() is True
    good = source.current
    assert good.revision != first.revision
    (folder / "own.yaml").write_text(FILE + RULE.format("r1", "dney"))
    assert source.poll() is False
    assert source.current is good
    assert "own.yaml:5" in str(source.rejected)
    (folder / "own.yaml").unlink()
    assert source.poll() is True
    assert (source.current.revision, source.rejected) == (first.revision, None)


def test_a_folder_that_goes_away_keeps_the_last_good_policy(folder: Path) -> None:
    source = PolicySource(folder)
    shutil.rmtree(folder)
    assert source.poll() is False
    assert source.rejected
    assert source.current.rules


WHEN = "{finding: secret.aws_key, direction: response}"
LOOSE = f"version: 1\nbind: {{tenant: acme}}\nrules:\n  - id: mine\n    when: {WHEN}\n    do: "


def test_a_lower_level_that_loosens_is_refused_with_both_places(folder: Path) -> None:
    (folder / "acme.yaml").write_text(LOOSE + "flag\n")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder)
    told = str(caught.value).replace(f"{folder}/", "")
    line = next(
        n
        for n, text in enumerate((folder / "default.yaml").read_text().splitlines(), 1)
        if "id: secrets-elsewhere" in text
    )
    assert told == (
        f"acme.yaml:4: rule mine (flag) is weaker than secrets-elsewhere (redact, default.yaml:{line}): "
        "a lower level may only tighten"
    )


@pytest.mark.parametrize(
    "text",
    [LOOSE + "redact\n", LOOSE + "deny\n", LOOSE + "flag\n    mode: shadow\n"],
    ids=["equal", "stricter", "shadow"],
)
def test_a_lower_level_that_does_not_loosen_is_taken(text: str, folder: Path) -> None:
    (folder / "acme.yaml").write_text(text)
    assert "mine" in [rule.id for rule in load_policies(folder).rules]


def test_levels_below_the_floor_are_compared_too(folder: Path) -> None:
    rule = "rules:\n  - id: {}\n    when: {{finding: x.*}}\n    do: {}\n"
    (folder / "a.yaml").write_text("version: 1\nbind: {tenant: acme}\n" + rule.format("tenant", "deny"))
    (folder / "b.yaml").write_text("version: 1\nbind: {tenant: acme, agent: bot}\n" + rule.format("agent", "redact"))
    with pytest.raises(ConfigError, match=r"b.yaml:4: rule agent \(redact\) is weaker than tenant"):
        load_policies(folder)
    (folder / "b.yaml").write_text("version: 1\nbind: {tenant: other, agent: bot}\n" + rule.format("agent", "redact"))
    assert load_policies(folder).rules


@pytest.fixture(scope="module")
def at_hand() -> DetectorsAtHand:
    detectors = (*pii(), *secrets(), *OutputExfil().register_detectors())
    return DetectorsAtHand(engine(detectors), detectors, CallableScans(()))


def test_the_shipped_examples_hold(at_hand: DetectorsAtHand, folder: Path) -> None:
    text = (folder / "strict.yaml").read_text()
    (folder / "strict.yaml").write_text(text.replace("active: false", "active: true"))
    rules = load_policies(folder, Surroundings(at_hand)).rules
    without = [rule.id for rule in rules if not (getattr(rule.examples, rule.do) and rule.examples.allow)]
    assert without == ["leaks-in-answers"]  # what must not leak, only the operator knows


def test_a_failing_example_is_a_load_error_at_its_line_and_keeps_the_last_good_one(
    at_hand: DetectorsAtHand, folder: Path
) -> None:
    source = PolicySource(folder, Surroundings(at_hand))
    good = source.current
    bad = FILE + "  - id: r\n    when: {finding: pii.email}\n    do: deny\n    examples:\n      deny:\n        - hush\n"
    (folder / "own.yaml").write_text(bad)
    assert source.poll() is False
    assert source.current is good
    assert "own.yaml:8: rule r: examples.deny[0]: expected deny, got allow" in str(source.rejected)
    assert "hush" not in str(source.rejected)
    (folder / "own.yaml").write_text(bad.replace("hush", "a.b@example.org"))
    assert source.poll() is True
    assert load_policies(folder).rules, "without detectors examples are only read"


def test_counts_are_kept_over_reloads(folder: Path) -> None:
    text = FILE + "  - id: r\n    when: {finding: x.*, count: {at_least: 2, window_s: 600}}\n    do: deny\n"
    (folder / "own.yaml").write_text(text)
    source = PolicySource(folder)
    finding, leaf = Finding("x.y", "/a", (0, 1)), Leaf("/a", "x")
    assert source.current.judge(finding, leaf, Phase.REQUEST).action is Action.ALLOW
    (folder / "own.yaml").write_text(text + "# changed\n")
    assert source.poll() is True
    assert source.current.judge(finding, leaf, Phase.REQUEST).action is Action.DENY


def test_the_shipped_schema_is_fresh() -> None:
    assert (SHIPPED.parent / "config/policy.schema.json").read_text() == schema_json()


def test_the_shipped_files_fit_the_schema() -> None:
    schema = Draft202012Validator(json.loads((SHIPPED.parent / "config/policy.schema.json").read_text()))
    Draft202012Validator.check_schema(schema.schema)
    files = [*SHIPPED.glob("*.yaml"), *(SHIPPED.parent / "docs/examples/policy-repo/policies").glob("*.yaml")]
    assert len(files) >= 3
    assert [str(file) for file in files if not schema.is_valid(yaml.safe_load(file.read_text()))] == []
    assert not schema.is_valid({"version": 1, "rules": [{"id": "r", "when": {"findng": "x"}, "do": "deny"}]})
