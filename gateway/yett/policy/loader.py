"""From a folder of policy files to a snapshot: read once, check all, hash, compile."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from yett import strictyaml
from yett.errors import ConfigError
from yett.policy.model import PolicyFile, Rule
from yett.policy.rbac import Rbac
from yett.policy.snapshot import PolicySnapshot
from yett.reload import Reloading
from yett.shape import check

DEFAULT = "default.yaml"
RBAC_MODEL = "rbac_model.conf"
RBAC_POLICY = "rbac_policy.csv"


def load_policies(folder: Path) -> PolicySnapshot:
    """The policy in `folder`: every `*.yaml` directly in it, and the two Casbin files. Raises ConfigError."""
    contents = {path.name: _read(path) for path in policy_files(folder)}
    for name in (DEFAULT, RBAC_MODEL, RBAC_POLICY):
        if name not in contents:
            raise ConfigError(f"the policy folder has no {name}", str(folder))
    rules: dict[str, tuple[Rule, str]] = {}
    for name, raw in contents.items():
        if name.endswith(".yaml"):
            _add_rules(rules, raw, str(folder / name))
    rbac = Rbac(
        _text(contents[RBAC_MODEL], folder / RBAC_MODEL),
        _text(contents[RBAC_POLICY], folder / RBAC_POLICY),
        model_file=str(folder / RBAC_MODEL),
        policy_file=str(folder / RBAC_POLICY),
    )
    return PolicySnapshot(_revision(contents), [rule for rule, _ in rules.values()], rbac)


def policy_files(folder: Path) -> list[Path]:
    """The files that make up the policy in `folder`, sorted by name. Raises ConfigError."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ConfigError(f"cannot read the policy folder: {error.strerror}", str(folder)) from None
    for path in found:
        if path.suffix == ".yml" and not path.name.startswith("."):
            raise ConfigError("name policy files *.yaml: this one would be ignored", str(path))
    return [
        p for p in found if not p.name.startswith(".") and (p.suffix == ".yaml" or p.name in {RBAC_MODEL, RBAC_POLICY})
    ]


class PolicySource(Reloading[PolicySnapshot]):
    """The policy folder of a running gateway: `current`, `rejected`, `poll()`."""

    __slots__ = ()

    def __init__(self, folder: Path) -> None:
        """Load `folder` at once. Raises ConfigError."""
        super().__init__(lambda: load_policies(folder), lambda: _watched(folder))


def _watched(folder: Path) -> Iterable[Path]:
    """Every file of the folder, also one that the loader would refuse: its appearing must be noticed."""
    return [path for path in folder.iterdir() if path.is_file()]


def _add_rules(rules: dict[str, tuple[Rule, str]], raw: bytes, file: str) -> None:
    document = strictyaml.parse(raw, file)
    policy = check(PolicyFile, document)
    seen: dict[str, str] = {}
    for index, rule in enumerate(policy.rules):
        where = document.where(("rules", index, "id"))
        first = seen.get(rule.id) or (rules[rule.id][1] if policy.active and rule.id in rules else None)
        if first:
            raise ConfigError(f"the rule id {rule.id!r} is taken ({first})", where)
        seen[rule.id] = where
        if policy.active:
            rules[rule.id] = (rule, where)


def _revision(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, raw in sorted(contents.items()):
        digest.update(f"{name}\x00{len(raw)}\x00".encode() + raw)
    return f"sha256:{digest.hexdigest()[:16]}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the file: {error.strerror}", str(path)) from None


def _text(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("the file is not UTF-8", str(path)) from None
