import pytest

from helpers.detectors import engine
from yett.at_hand import DetectorsAtHand
from yett.callables import CallableScans, Contributed
from yett.detector import CallableDetector, Detector, Found, Pattern
from yett.errors import ConfigError
from yett.flow import Phase, Role

HERE = "tests.gateway.test_at_hand"
WORD = Detector("word", "x.word", "WORD", (Pattern("word", "bomb", 0.9),))
LENGTH = Detector("length", "x.length", "LENGTH", ())


class Lengths:
    def scan(self, texts):
        return [[Found(0, len(text), "x.length", 0.9)] if len(text) > 3 else [] for text in texts]


class Broken:
    def scan(self, texts):
        raise RuntimeError(texts[0])


ALL = ("*",)


def at_hand(make="Lengths", fail_open=False, **more):
    called = CallableDetector("length", f"{HERE}:{make}", (LENGTH,), isolation="inline", **more)
    return DetectorsAtHand(engine([WORD]), [WORD], CallableScans([Contributed(called, "p", fail_open)]))


@pytest.mark.parametrize(
    ("text", "role", "phase", "codes"),
    [
        ("a bomb", Role.USER, Phase.REQUEST, ["x.word", "x.length"]),
        ("none", Role.USER, Phase.REQUEST, ["x.length"]),
        ("no", Role.USER, Phase.REQUEST, []),
        ("", Role.USER, Phase.REQUEST, []),
        ("none", Role.SYSTEM, Phase.REQUEST, []),
        ("none", Role.USER, Phase.RESPONSE, []),
    ],
)
def test_what_answers_at_once(text, role, phase, codes):
    hand = at_hand(roles=frozenset({Role.USER}), phases=frozenset({Phase.REQUEST}))
    assert hand.codes == hand.known == {"x.word", "x.length"}
    assert [span.detector.code for span in hand.scan(text, role, phase, ALL)] == codes


@pytest.mark.parametrize(("phase", "codes"), [(Phase.REQUEST, []), (Phase.RESPONSE, ["x.word"])])
def test_a_pattern_answers_in_its_phases_only(phase, codes):
    word = Detector("word", "x.word", "WORD", WORD.patterns, phases=frozenset({Phase.RESPONSE}))
    hand = DetectorsAtHand(engine([word]), [word], CallableScans(()))
    assert [span.detector.code for span in hand.scan("a bomb", Role.USER, phase, ALL)] == codes


def test_a_failing_detector_is_told_without_the_text():
    with pytest.raises(ConfigError) as caught:
        at_hand("Broken").scan("geheim", Role.USER, Phase.REQUEST, ALL)
    assert "length" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_detector_that_finds_nothing_of_the_rule_s_is_not_asked():
    found = at_hand("Broken").scan("a bomb", Role.USER, Phase.REQUEST, ["x.w*", "y.*"])
    assert [span.detector.code for span in found] == ["x.word"]


def test_a_failing_detector_that_the_operator_opened_finds_nothing():
    found = at_hand("Broken", fail_open=True).scan("a bomb", Role.USER, Phase.REQUEST, ALL)
    assert [span.detector.code for span in found] == ["x.word"]


def test_a_detector_in_a_worker_is_known_and_not_asked():
    class Pool:
        async def scan(self, name, texts, deadline_s):
            raise AssertionError

    called = CallableDetector("length", f"{HERE}:Lengths", (LENGTH,))
    hand = DetectorsAtHand(engine([WORD]), [WORD], CallableScans([Contributed(called, "p")], Pool()))
    assert (hand.codes, hand.known) == ({"x.word"}, {"x.word", "x.length"})
    assert hand.scan("none", Role.USER, Phase.REQUEST, ALL) == []
