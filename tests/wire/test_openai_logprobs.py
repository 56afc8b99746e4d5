"""Log probabilities stay only where they repeat the answer and nothing else."""

import pytest

from helpers.chat_streams import entry
from yett.wire.guard import Released
from yett.wire.openai_logprobs import HeldLogprobs, entry_bytes, fit, whole

SOUND = {
    "plain": (entry("hi"), b"hi"),
    "no bytes": ({"token": "hi", "logprob": -1, "bytes": None}, b"hi"),
    "no alternatives": ({"token": "hi", "logprob": -1, "bytes": [104, 105], "top_logprobs": None}, b"hi"),
    "half a character": (entry("\\xc3", b"\xc3"), b"\xc3"),
    "half a character, named": (entry("bytes:\\xc3", b"\xc3"), b"\xc3"),
    "half a character, replaced": (entry("\ufffd", b"\xc3"), b"\xc3"),
    "character and a half": (entry("é\\xc3", "é".encode() + b"\xc3"), "é".encode() + b"\xc3"),
    "beyond latin-1": (entry("日"), "日".encode()),
    "a backslash": (entry("\\"), b"\\"),
    "empty": (entry(""), b""),
}

UNSOUND = {
    "text": "hi",
    "unknown member": entry("hi") | {"note": "jane"},
    "bytes say something else": entry("hi", b"jane"),
    "bytes are text": entry("hi") | {"bytes": "jane"},
    "bytes are no bytes": entry("hi") | {"bytes": [104, 999]},
    "bytes are true": entry("hi") | {"bytes": [True]},
    "no token": {"bytes": [104]},
    "logprob is text": entry("hi") | {"logprob": "jane"},
    "alternatives are text": entry("hi") | {"top_logprobs": "jane"},
    "an alternative is text": entry("hi") | {"top_logprobs": ["jane"]},
    "an alternative says something else": entry("hi") | {"top_logprobs": [{"token": "a", "bytes": [98]}]},
    "an alternative has alternatives": entry("hi") | {"top_logprobs": [entry("a")]},
    "an alternative is long": entry("hi") | {"top_logprobs": [{"token": "a" * 200, "logprob": 0}]},
}


@pytest.mark.parametrize(("one", "raw"), SOUND.values(), ids=SOUND)
def test_sound_entries(one, raw):
    one = one | {
        "top_logprobs": [{k: v for k, v in alt.items() if k != "top_logprobs"} for alt in one.get("top_logprobs") or []]
    }
    assert entry_bytes(one) == raw


@pytest.mark.parametrize("one", UNSOUND.values(), ids=UNSOUND)
def test_unsound_entries(one):
    assert entry_bytes(one) is None
    assert not fit([one], "hi")


def test_fit_is_about_the_whole_text():
    assert fit([entry("a"), entry("b")], "ab")
    assert fit([], "")
    assert not fit([entry("a")], "ab")
    assert not fit("ab", "ab")


def test_whole_keeps_each_list_that_fits():
    logprobs = {"content": [entry("a")], "refusal": [entry("jane")], "extra": "jane"}
    assert whole(logprobs, {"content": "a", "refusal": "b"}) == {"content": [entry("a")], "refusal": None}
    assert whole(logprobs, {"content": "b", "refusal": None}) is None


def tokens(entries):
    return [e["token"] for e in entries]


def test_entries_wait_for_the_end_of_their_text():
    held = HeldLogprobs()
    held.add([entry("ab"), entry("cd"), entry("")], "abcd", 0)
    assert tokens(held.release(Released("abc", 0, 3))) == ["ab"]
    assert tokens(held.release(Released("d", 3, 4))) == ["cd", ""]
    assert held.release(Released("", 4, 4)) == []


@pytest.mark.parametrize(
    ("edit", "left"),
    [((0, 1), ["cd", "ef"]), ((1, 3), ["ef"]), ((2, 4), ["ab", "ef"]), ((3, 5), ["ab"]), ((0, 6), [])],
)
def test_entries_over_an_edited_span_go(edit, left):
    held = HeldLogprobs()
    held.add([entry("ab"), entry("cd"), entry("ef")], "abcdef", 0)
    assert tokens(held.release(Released("?", 0, 6, (edit,)))) == left


def test_an_edit_counts_for_an_entry_that_leaves_later():
    held = HeldLogprobs()
    held.add([entry("abcd"), entry("e")], "abcde", 0)
    assert held.release(Released("?", 0, 2, ((0, 2),))) == []
    assert tokens(held.release(Released("cde", 2, 5))) == ["e"]


def test_half_characters_share_the_fate_of_their_character():
    raw = "é".encode()
    held = HeldLogprobs()
    held.add([entry("a"), entry("\\xc3", raw[:1]), entry("\\xa9", raw[1:]), entry("b")], "aéb", 0)
    assert tokens(held.release(Released("a?b", 0, 3, ((1, 2),)))) == ["a", "b"]


def test_an_empty_token_inside_an_edit_goes():
    held = HeldLogprobs()
    held.add([entry("a"), entry(""), entry("b")], "ab", 0)
    assert tokens(held.release(Released("?b", 0, 2, ((0, 1),)))) == ["", "b"]
    held = HeldLogprobs()
    held.add([entry("a"), entry(""), entry("b")], "ab", 0)
    assert tokens(held.release(Released("?", 0, 2, ((0, 2),)))) == []


def test_carried_rows_leave_in_place_of_entries():
    held = HeldLogprobs()
    held.add([entry("a")], "a", 0, ["row"])
    assert held.release(Released("a", 0, 1)) == ["row"]
