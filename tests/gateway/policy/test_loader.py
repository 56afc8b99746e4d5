import shutil
from pathlib import Path

import pytest

from yett.errors import ConfigError
from yett.policy import PolicySource, load_policies

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
