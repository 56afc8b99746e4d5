"""Finds plugins, validates them against the hook specification, and lays out who is called when.

pluggy finds and validates; the result is a plain table `hooks[name] -> (Hook, ...)` that the pipeline walks itself,
because pluggy drops None, reorders results and leaves coroutines un-awaited.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import pluggy
from pydantic import BaseModel, ValidationError

from yett.callables import Contributed
from yett.detector import CallableDetector, Detector
from yett.errors import PluginError
from yett.hookspecs import PROJECT, Hooks

ENTRY_POINT_GROUP = "yett.plugins"
BUILTINS_ENTRY_POINT = "builtins"
HOOK_NAMES = frozenset(name for name, value in vars(Hooks).items() if inspect.isfunction(value))
OBSERVERS = frozenset({"decided", "flow_ended", "gateway_stopping"})


@dataclass(frozen=True, slots=True)
class Hook:
    """One implementation of one hook, ready to be called: `call(**{name: value for name in arguments})`."""

    plugin: str
    name: str
    call: Callable[..., Any]
    is_async: bool
    arguments: tuple[str, ...]
    fail_open: bool
    deadline_s: float


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """What `yett plugins list` prints. `source` is `builtin`, `entry point NAME` or the dotted path."""

    name: str
    source: str
    hooks: tuple[str, ...]
    fail_open: bool
    doc: str


class Registry:
    """The plugins of one gateway, in order of registration."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._options: dict[str, tuple[str, bool, float]] = {}
        self._found: list[tuple[str, Detector | CallableDetector]] | None = None
        self.hooks: dict[str, tuple[Hook, ...]] = dict.fromkeys(HOOK_NAMES, ())

    def add(
        self,
        plugin: type | object,
        config: Mapping[str, object] | None = None,
        *,
        source: str = "",
        on_error: str = "deny",
        deadline_s: float = 2.0,
    ) -> None:
        """Construct (a class) with its checked config, validate its hooks and register it. Raises PluginError."""
        instance = _construct(plugin, config or {}) if isinstance(plugin, type) else plugin
        name = getattr(instance, "name", None)
        if not isinstance(name, str) or not name:
            raise PluginError(f"plugin {type(instance).__name__} has no `name`")
        if self._manager.has_plugin(name):
            raise PluginError(f"two plugins are named {name!r}")
        _refuse_unmarked_hooks(instance, name)
        try:
            self._manager.register(instance, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"plugin {name!r}: {error}") from error
        self._options[name] = (source or type(instance).__module__, on_error == "allow", deadline_s)
        self._found = None
        self.hooks = {hook: self._implementations(hook) for hook in HOOK_NAMES}

    def detectors(self) -> tuple[Detector, ...]:
        """All declarative detectors that the plugins contribute, in order of registration. Raises PluginError."""
        return tuple(one for _, one in self._contributed() if isinstance(one, Detector))

    def callables(self) -> tuple[Contributed, ...]:
        """All callable detectors that the plugins contribute, in order of registration. Raises PluginError."""
        return tuple(
            Contributed(one, plugin, self._options[plugin][1])
            for plugin, one in self._contributed()
            if isinstance(one, CallableDetector)
        )

    def _contributed(self) -> list[tuple[str, Detector | CallableDetector]]:
        """What `register_detectors` of every plugin gave, asked once. Raises PluginError."""
        if self._found is None:
            found: list[tuple[str, Detector | CallableDetector]] = []
            for hook in self.hooks["register_detectors"]:
                for detector in hook.call():
                    if not isinstance(detector, Detector | CallableDetector):
                        raise PluginError(
                            f"plugin {hook.plugin!r}: register_detectors gave a {type(detector).__name__}"
                        )
                    found.append((hook.plugin, detector))
            names = [detector.name for _, detector in found]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise PluginError(f"detectors with the same name: {', '.join(sorted(twice))}")
            self._found = found
        return self._found

    def opened(self) -> tuple[str, ...]:
        """Plugins that the operator let fail open: shown in /readyz and marked in each audit record."""
        return tuple(name for name, (_, fail_open, _) in self._options.items() if fail_open)

    def describe(self) -> list[PluginInfo]:
        """One line per plugin, in order."""
        return [self._info(name, instance) for name, instance in self._manager.list_name_plugin() if instance]

    def _info(self, name: str, instance: object) -> PluginInfo:
        source, fail_open, _ = self._options[name]
        hooks = tuple(sorted(h for h, calls in self.hooks.items() if any(c.plugin == name for c in calls)))
        doc = (inspect.getdoc(type(instance)) or "").split("\n", 1)[0]
        return PluginInfo(name, source, hooks, fail_open, doc)

    def _implementations(self, hook: str) -> tuple[Hook, ...]:
        caller = getattr(self._manager.hook, hook)
        order = list(self._options)
        found = []
        for implementation in caller.get_hookimpls():
            _, fail_open, deadline_s = self._options[implementation.plugin_name]
            found.append(
                Hook(
                    plugin=implementation.plugin_name,
                    name=hook,
                    call=implementation.function,
                    is_async=inspect.iscoroutinefunction(implementation.function),
                    arguments=tuple(implementation.argnames),
                    fail_open=fail_open or hook in OBSERVERS,
                    deadline_s=deadline_s,
                )
            )
        return tuple(sorted(found, key=lambda h: order.index(h.plugin)))


def load_builtins() -> tuple[type, ...]:
    """The plugins that ship with Yett, through their entry point: the core names none of them."""
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=BUILTINS_ENTRY_POINT):
        builtins: Iterable[type] = entry.load()
        return tuple(builtins)
    raise PluginError("the built-in plugins are not installed (entry point yett.plugins: builtins)")


def find_plugin(name: str) -> tuple[type, str]:
    """The plugin class that `name` means: an entry point's name, or a dotted path `package.module:Class`."""
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        if entry.name != BUILTINS_ENTRY_POINT:
            return _as_class(entry.load(), name), f"entry point {name}"
    module_name, _, class_name = name.partition(":")
    if not class_name:
        known = sorted(e.name for e in entry_points(group=ENTRY_POINT_GROUP) if e.name != BUILTINS_ENTRY_POINT)
        raise PluginError(f"no plugin {name!r}; installed: {', '.join(known) or 'none'}; or write package.module:Class")
    try:
        return _as_class(getattr(importlib.import_module(module_name), class_name), name), name
    except (ImportError, AttributeError) as error:
        raise PluginError(f"plugin {name!r} cannot be imported: {error}") from error


def _as_class(value: object, name: str) -> type:
    if not isinstance(value, type):
        raise PluginError(f"plugin {name!r} is a {type(value).__name__}, not a class")
    return value


def _construct(plugin: type, config: Mapping[str, object]) -> object:
    schema = getattr(plugin, "Config", None)
    if schema is None:
        if config:
            raise PluginError(f"plugin {plugin.__name__} takes no configuration")
        return plugin()
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        raise PluginError(f"plugin {plugin.__name__}: Config must be a pydantic model")
    if schema.model_config.get("extra") != "forbid":
        raise PluginError(f"plugin {plugin.__name__}: Config must set extra='forbid', so that a typo is an error")
    try:
        return plugin(schema.model_validate(dict(config)))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PluginError(f"plugin {plugin.__name__}: config {where}: {first['msg']}") from error


def _refuse_unmarked_hooks(instance: object, name: str) -> None:
    """A method named like a hook but not marked as one would silently never run."""
    for hook in HOOK_NAMES:
        method = getattr(instance, hook, None)
        if method is not None and not hasattr(method, f"{PROJECT}_impl"):
            raise PluginError(f"plugin {name!r}: {hook} is not marked with @hookimpl and would never run")
