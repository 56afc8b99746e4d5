"""Plugins are validated when they are registered; what is misspelt or unmarked never silently does nothing."""

import pytest
from pydantic import BaseModel, ConfigDict

from yett.detector import Detector, Pattern
from yett.errors import PluginError
from yett.hookspecs import hookimpl
from yett.registry import Registry, find_plugin, load_builtins


class Loud:
    """Says hello."""

    name = "loud"

    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid")
        volume: int = 1

    def __init__(self, config):
        self.config = config

    @hookimpl
    def check_request(self, flow):
        return ()


class Quiet:
    name = "quiet"

    @hookimpl
    async def check_request(self):
        return ()


def test_hooks_are_laid_out_in_order_with_their_arguments():
    registry = Registry()
    registry.add(Loud, {"volume": 3})
    registry.add(Quiet)
    first, second = registry.hooks["check_request"]
    assert (first.plugin, first.arguments, first.is_async) == ("loud", ("flow",), False)
    assert (second.plugin, second.arguments, second.is_async) == ("quiet", (), True)


def test_the_description_names_source_hooks_and_doc():
    registry = Registry()
    registry.add(Loud, source="builtin")
    (info,) = registry.describe()
    assert (info.name, info.source, info.hooks, info.doc) == ("loud", "builtin", ("check_request",), "Says hello.")


def test_guards_close_and_observers_open():
    class Watcher:
        name = "watcher"

        @hookimpl
        def decided(self, flow):
            return None

    registry = Registry()
    registry.add(Loud)
    registry.add(Watcher)
    assert registry.hooks["check_request"][0].fail_open is False
    assert registry.hooks["decided"][0].fail_open is True
    assert registry.opened() == ()


def test_a_guard_opened_by_the_operator_is_named():
    registry = Registry()
    registry.add(Loud, on_error="allow")
    assert registry.opened() == ("loud",)
    assert registry.hooks["check_request"][0].fail_open is True


class Misspelt:
    name = "misspelt"

    @hookimpl
    def chekc_request(self, flow):
        return ()


class Unmarked:
    name = "unmarked"

    def check_request(self, flow):
        return ()


class WrongArgument:
    name = "wrong"

    @hookimpl
    def check_request(self, flow, nonsense):
        return ()


class Lax:
    name = "lax"

    class Config(BaseModel):
        volume: int = 1

    def __init__(self, config):
        pass


class Nameless:
    pass


@pytest.mark.parametrize(
    ("plugin", "config", "message"),
    [
        pytest.param(Misspelt, {}, "chekc_request", id="misspelt hook"),
        pytest.param(Unmarked, {}, "would never run", id="hook without its mark"),
        pytest.param(WrongArgument, {}, "nonsense", id="argument the hook does not have"),
        pytest.param(Loud, {"volme": 1}, "volme", id="unknown config key"),
        pytest.param(Loud, {"volume": "x"}, "volume", id="config of the wrong type"),
        pytest.param(Lax, {}, "extra='forbid'", id="config that would swallow typos"),
        pytest.param(Quiet, {"x": 1}, "takes no configuration", id="config for a plugin without"),
        pytest.param(Nameless, {}, "no `name`", id="no name"),
    ],
)
def test_a_wrong_plugin_stops_the_start(plugin, config, message):
    with pytest.raises(PluginError, match=message):
        Registry().add(plugin, config)


def test_two_plugins_of_one_name_are_refused():
    registry = Registry()
    registry.add(Quiet)
    with pytest.raises(PluginError, match="two plugins"):
        registry.add(Quiet)


@pytest.mark.parametrize(
    "name", ["nothing-of-this-name", "no_such_module:Thing", "yett.flow:Nothing", "yett.flow:new_id"]
)
def test_an_unknown_plugin_is_refused(name):
    with pytest.raises(PluginError):
        find_plugin(name)


def test_a_dotted_path_finds_a_class():
    found, source = find_plugin("yett.registry:Registry")
    assert (found, source) == (Registry, "yett.registry:Registry")


def test_detectors_come_in_order_and_names_are_unique():
    made = Detector("d", "x.d", "D", (Pattern("p", "abc"),))

    class Brings:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def register_detectors(self):
            return (made,)

    registry = Registry()
    registry.add(Brings("one"))
    assert registry.detectors() == (made,)
    registry.add(Brings("two"))
    with pytest.raises(PluginError, match="same name: d"):
        registry.detectors()


def test_junk_from_register_detectors_is_refused():
    class Junk:
        name = "junk"

        @hookimpl
        def register_detectors(self):
            return ("not a detector",)

    registry = Registry()
    registry.add(Junk())
    with pytest.raises(PluginError, match="gave a str"):
        registry.detectors()


def test_the_builtins_are_found_through_their_entry_point():
    assert {plugin.name for plugin in load_builtins()} >= {"pii", "secrets"}
