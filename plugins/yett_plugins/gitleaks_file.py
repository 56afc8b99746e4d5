"""Rule files in gitleaks' TOML form, read and checked; `gitleaks` makes detectors of them.

Every table of gitleaks 8 is known. What has no meaning for texts that come from no repository (paths, commits) is left
out and told in `notes`; what would change findings and cannot be done is a ConfigError. Keys count in any case, as with
gitleaks. The table `[rules.yett]` is ours; gitleaks passes over it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yett.errors import ConfigError

_EXTEND_DEPTH = 3
_MAX_LEN = 16 * 1024


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Allowlist(_Table):
    """What is no secret although the regex finds it. `target_rules` is for lists at the top of the file."""

    description: str = ""
    condition: Literal["", "or", "and", "OR", "AND", "||", "&&"] = ""
    commits: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    regex_target: Literal["", "secret", "match", "line"] = Field(default="", alias="regextarget")
    regexes: tuple[str, ...] = ()
    stop_words: tuple[str, ...] = Field(default=(), alias="stopwords")
    target_rules: tuple[str, ...] = Field(default=(), alias="targetrules")

    @property
    def all_of(self) -> bool:
        """Whether all of its conditions must hold, not one."""
        return self.condition in {"and", "AND", "&&"}


class Yett(_Table):
    """What gitleaks cannot say about a rule.

    max_len    longest match in characters, as for `yett.detector.Detector`
    named      a regex for the name that the secret is assigned to; the rule's regex is then the value alone
    check      name of a validator of ours
    hit, miss  examples that run at load; `<36>` in them stands for 36 letters and digits, `<hex:8>` for hex ...
    """

    max_len: int | None = Field(default=None, ge=1, le=_MAX_LEN)
    named: str = ""
    check: str = ""
    hit: tuple[str, ...] = ()
    miss: tuple[str, ...] = ()


class Rule(_Table):
    """One `[[rules]]` table."""

    id: str = Field(min_length=1)
    description: str = ""
    regex: str = ""
    path: str = ""
    secret_group: int = Field(default=0, ge=0, alias="secretgroup")
    entropy: float = Field(default=0.0, ge=0)
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    allowlist: Allowlist | None = None
    allowlists: tuple[Allowlist, ...] = ()
    required: tuple[Mapping[str, Any], ...] = ()
    skip_report: bool = Field(default=False, alias="skipreport")
    yett: Yett = Yett()

    @property
    def all_allowlists(self) -> tuple[Allowlist, ...]:
        """Its allow-lists in both forms, the old `[rules.allowlist]` and the new."""
        return (self.allowlist, *self.allowlists) if self.allowlist else self.allowlists


class Extend(_Table):
    """`[extend]`: another file whose rules this one adds to and overrides."""

    path: str = ""
    url: str = ""
    use_default: bool = Field(default=False, alias="usedefault")
    disabled_rules: tuple[str, ...] = Field(default=(), alias="disabledrules")


class _File(_Table):
    title: str = ""
    description: str = ""
    min_version: str = Field(default="", alias="minversion")
    extend: Extend = Extend()
    rules: tuple[Rule, ...] = ()
    allowlist: Allowlist | None = None
    allowlists: tuple[Allowlist, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rules that apply to texts, each with the allow-lists that hold for it; `notes` say what was left out.

    `names` are all by which a rule of the file can be disabled, see `names_of`.
    """

    path: Path
    rules: tuple[tuple[Rule, tuple[Allowlist, ...]], ...]
    notes: tuple[str, ...]
    names: frozenset[str]


def code_of(rule_id: str) -> str:
    """`secret.aws_access_token` for `aws-access-token`; what follows a dot only tells rules of one code apart."""
    return "secret." + re.sub(r"[^a-z0-9]+", "_", rule_id.split(".", 1)[0].lower()).strip("_")


def names_of(rule_id: str) -> frozenset[str]:
    """What names a rule: its id, its id up to the first dot, its code."""
    return frozenset({rule_id, rule_id.split(".", 1)[0], code_of(rule_id)})


def load(path: Path, disabled: frozenset[str] = frozenset()) -> RuleFile:
    """Read `path` and the files it extends, without the rules that `disabled` names. Raises ConfigError."""
    file = _read(path, _EXTEND_DEPTH)
    _check_ids(file, path)
    shared = tuple(filter(None, (file.allowlist, *file.allowlists)))
    ids = frozenset(rule.id for rule in file.rules)
    if unknown := {name for one in shared for name in one.target_rules} - ids:
        raise ConfigError(f"an allow-list is for rules that do not exist: {', '.join(sorted(unknown))}", str(path))
    notes: list[str] = []
    kept: list[tuple[Rule, tuple[Allowlist, ...]]] = []
    for rule in file.rules:
        if names_of(rule.id) & disabled or _left_out(rule, path, notes):
            continue
        mine = [one for one in shared if not one.target_rules or rule.id in one.target_rules]
        kept.append((rule, tuple(one for one in (*rule.all_allowlists, *mine) if one.regexes or one.stop_words)))
    if any(one.paths or one.commits for one in shared):
        notes.append("allow-lists of paths and commits are ignored: texts come from no repository")
    return RuleFile(path, tuple(kept), tuple(notes), frozenset[str]().union(*map(names_of, ids)))


def _read(path: Path, depth: int) -> _File:
    if not depth:
        raise ConfigError(f"more than {_EXTEND_DEPTH - 1} files extend one another", str(path))
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the rule file cannot be read: {type(error).__name__}", str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"this is not TOML: {error}", str(path)) from None
    try:
        file = _File.model_validate(_lowered(table))
    except ValidationError as error:
        raise ConfigError(_told(error, table), str(path)) from None
    extend = file.extend
    if extend.use_default or extend.url:
        raise ConfigError("`extend` takes a `path` only; gitleaks' own rules do not ship with Yett", str(path))
    if not extend.path:
        return file
    base = _read(path.parent / extend.path, depth - 1)
    return _joined(base, file, extend.disabled_rules)


def _lowered(value: Any) -> Any:  # a parsed TOML document has no better type
    if isinstance(value, dict):
        return {key.lower(): _lowered(item) for key, item in value.items()}
    return [_lowered(item) for item in value] if isinstance(value, list) else value


def _told(error: ValidationError, table: Mapping[str, Any]) -> str:
    """The first mistake, with the id of its rule, without the value that is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = list(first["loc"])
    named = ""
    if len(place) > 1 and place[0] == "rules" and isinstance(place[1], int):
        rule = table["rules"][place[1]]
        name = rule.get("id") if isinstance(rule, dict) else None
        named, place = f"rule {name or place[1] + 1}: ", place[2:]
    return f"{named}{'.'.join(map(str, place))}: {first['msg']}"


def _joined(base: _File, file: _File, disabled: Collection[str]) -> _File:
    """`base` with the rules and lists of `file`; what a rule of `file` says overrides the rule of that id in `base`."""
    rules = {rule.id: rule for rule in base.rules if rule.id not in disabled}
    for rule in file.rules:
        under = rules.get(rule.id)
        if under is None:
            rules[rule.id] = rule
            continue
        said = {name: getattr(rule, name) for name in rule.model_fields_set - {"allowlist", "allowlists", "keywords"}}
        lists = (*under.all_allowlists, *rule.all_allowlists)
        said |= {"allowlist": None, "allowlists": lists, "keywords": (*under.keywords, *rule.keywords)}
        rules[rule.id] = under.model_copy(update=said)
    lists = tuple(filter(None, (base.allowlist, *base.allowlists, file.allowlist, *file.allowlists)))
    return file.model_copy(update={"rules": tuple(rules.values()), "allowlist": None, "allowlists": lists})


def _check_ids(file: _File, path: Path) -> None:
    seen: set[str] = set()
    for rule in file.rules:
        if rule.id in seen:
            raise ConfigError(f"two rules have the id {rule.id}", str(path))
        seen.add(rule.id)
        if not rule.regex and not rule.path:
            raise ConfigError(f"rule {rule.id}: it has neither regex nor path", str(path))


def _left_out(rule: Rule, path: Path, notes: list[str]) -> bool:
    """Whether `rule` says nothing about texts; `notes` gets what the operator should know."""
    if not rule.regex:
        notes.append(f"rule {rule.id} is left out: it looks at paths only")
        return True
    if rule.skip_report:
        notes.append(f"rule {rule.id} is left out: it reports nothing by itself")
        return True
    if rule.required:
        raise ConfigError(f"rule {rule.id}: `required` is not supported; `disable` leaves the rule out", str(path))
    if rule.path:
        notes.append(f"rule {rule.id} applies to all texts: its path is ignored")
    return False
