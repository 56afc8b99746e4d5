"""From a folder of policy files to a snapshot: read once, check all, hash, compile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from yett import strictyaml
from yett.errors import ConfigError
from yett.policy.counts import Counts
from yett.policy.covers import always_covers, bind_covers
from yett.policy.evaluate import Judging, utc_now
from yett.policy.examples import Detectors, try_examples
from yett.policy.model import PolicyFile, Rule
from yett.policy.rbac import Rbac
from yett.policy.snapshot import Place, PolicySnapshot
from yett.reload import Reloading
from yett.shape import check, several

DEFAULT = "default.yaml"
RBAC_MODEL = "rbac_model.conf"
RBAC_POLICY = "rbac_policy.csv"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What loading takes from the gateway it loads for.

    detectors  what rules' examples are tried on; None: their form alone is checked
    counts     the windows of `when.count`, kept over reloads
    value_key  opens the `hmac:` digests of `allow_values`
    now        what time it is
    """

    detectors: Detectors | None = None
    counts: Counts | None = None
    value_key: bytes = b""
    now: Callable[[], datetime] = utc_now


def load_policies(folder: Path, around: Surroundings | None = None) -> PolicySnapshot:
    """The policy in `folder`: every `*.yaml` directly in it, and the two Casbin files. Raises ConfigError."""
    around = around or Surroundings()
    contents = {path.name: _read(path) for path in policy_files(folder)}
    for name in (DEFAULT, RBAC_MODEL, RBAC_POLICY):
        if name not in contents:
            raise ConfigError(f"the policy folder has no {name}", str(folder))
    reading = _Reading()
    for name, raw in contents.items():
        if name.endswith(".yaml"):
            reading.add(raw, str(folder / name))
    reading.check_levels()
    if around.detectors is not None:
        reading.check_examples(around.detectors, around.value_key)
    rbac = Rbac(
        _text(contents[RBAC_MODEL], folder / RBAC_MODEL),
        _text(contents[RBAC_POLICY], folder / RBAC_POLICY),
        model_file=str(folder / RBAC_MODEL),
        policy_file=str(folder / RBAC_POLICY),
    )
    judging = Judging(around.counts or Counts(), around.value_key)
    rules = list(reading.rules.values())
    return PolicySnapshot(_revision(contents), rules, rbac, reading.places, judging, around.now)


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

    def __init__(self, folder: Path, around: Surroundings | None = None) -> None:
        """Load `folder` at once. Raises ConfigError."""
        kept = replace(around or Surroundings(), counts=(around and around.counts) or Counts())
        super().__init__(lambda: load_policies(folder, kept), lambda: _watched(folder))


def _watched(folder: Path) -> Iterable[Path]:
    """Every file of the folder, also one that the loader would refuse: its appearing must be noticed."""
    return [path for path in folder.iterdir() if path.is_file()]


class _Reading:
    """The rules of all files read so far."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.places: dict[str, Place] = {}
        self._documents: dict[str, tuple[strictyaml.Document, int]] = {}

    def add(self, raw: bytes, file: str) -> None:
        """Read one file. Raises ConfigError."""
        document = strictyaml.parse(raw, file)
        policy = check(PolicyFile, document)
        seen: dict[str, str] = {}
        for index, rule in enumerate(policy.rules):
            where = document.where(("rules", index, "id"))
            taken = self.places[rule.id].where if policy.active and rule.id in self.places else None
            first = seen.get(rule.id) or taken
            if first:
                raise ConfigError(f"the rule id {rule.id!r} is taken ({first})", where)
            seen[rule.id] = where
            if policy.active:
                self.rules[rule.id] = rule
                self.places[rule.id] = Place(where, policy.bind)
                self._documents[rule.id] = (document, index)

    def check_levels(self) -> None:
        """Refuse a rule that would be milder than a rule of a higher level that covers it. Raises ConfigError."""
        told = []
        for rule in self.rules.values():
            place = self.places[rule.id]
            for above in self.rules.values() if place.level and not rule.shadow else ():
                there = self.places[above.id]
                if (
                    there.level < place.level
                    and above.action > rule.action
                    and bind_covers(there.bind, place.bind)
                    and always_covers(above, rule)
                ):
                    words = f"({rule.do}) is weaker than {above.id} ({above.do}, {there.where})"
                    told.append((place.where, f"rule {rule.id} {words}: a lower level may only tighten"))
        if told:
            raise several(told)

    def check_examples(self, detectors: Detectors, value_key: bytes) -> None:
        """Try the examples of all rules. Raises ConfigError."""
        told = []
        for rule in self.rules.values():
            document, index = self._documents[rule.id]
            told += [
                (document.where(("rules", index, "examples", *tried.place)), str(tried))
                for tried in try_examples(rule, detectors, value_key)
                if tried.failed
            ]
        if told:
            raise several(told)


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
