"""strictjson accepts what json, orjson and JSON.parse read alike, and names what it refuses."""

import contextlib
import json
import math
import shutil
import subprocess
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.errors import RequestError
from yett.wire import strictjson

ACCEPTED = {
    "empty object": b"{}",
    "empty array": b"[]",
    "scalar string": b'"x"',
    "scalar null": b" null\r\n\t",
    "true and false": b"[true,false]",
    "same name in two objects": b'[{"a":1},{"a":2},{"b":{"a":{"a":1}}}]',
    "colons and braces in strings": b'{"a":":\\"{}[]:","b":"\\\\","c":"\\\\\\"","d":":x"}',
    "surrogate pair": b'"\\ud83d\\ude00"',
    "nul escape": b'"\\u0000"',
    "escaped name": b'{"\\u0061":1, "b" : 2}',
    "largest integer": b"[18446744073709551615, -9223372036854775808]",
    "minus zero": b"[-0, -0.0]",
    "exponents": b"[1e5, 1E+5, 1.5e-7, 1e22, 5e-324]",
    "underflow": b"1e-400",
    "many digits in a fraction": b"[0.12345678901234567890123, 12345678901234567890123.5, 1234567890123456789012e3]",
    "long digits in a string": b'{"a": "99999999999999999999999999"}',
    "depth 64": b"[" * 64 + b"]" * 64,
    "many shallow": b"[" + b"[]," * 500 + b"{}]",
    "unicode": '{"é": "日本 \U0001f600 \u2028"}'.encode(),
    "control 7f": b'"\x7f"',
}

REFUSED = {
    "empty": (b"", "invalid_json", None),
    "blank": (b"  ", "invalid_json", None),
    "truncated": (b'{"a":', "invalid_json", None),
    "trailing comma": (b"[1,]", "invalid_json", None),
    "two values": (b"{} {}", "invalid_json", None),
    "trailing nul": (b"{}\x00", "invalid_json", None),
    "comment": (b"{}//", "invalid_json", None),
    "single quotes": (b"{'a':1}", "invalid_json", None),
    "raw tab in string": (b'"\t"', "invalid_json", None),
    "raw nul in string": (b'"\x00"', "invalid_json", None),
    "bad escape": (b'"\\x41"', "invalid_json", None),
    "leading zero": (b"01", "invalid_json", None),
    "plus": (b"+1", "invalid_json", None),
    "bare point": (b"[1., .5]", "invalid_json", None),
    "vertical tab": (b"\x0b1", "invalid_json", None),
    "no-break space": ("\u00a01".encode(), "invalid_json", None),
    "bom": (b"\xef\xbb\xbf{}", "invalid_json", None),
    "utf-16": ("{}".encode("utf-16"), "not_utf8", None),
    "latin-1": (b'"\xe9"', "not_utf8", None),
    "overlong": (b'"\xc0\x80"', "not_utf8", None),
    "surrogate bytes": (b'"\xed\xa0\x80"', "not_utf8", None),
    "NaN": (b'{"a": NaN}', "not_finite", None),
    "Infinity": (b"[-Infinity]", "not_finite", None),
    "1e999": (b"1e999", "number_out_of_range", None),
    "-1e999": (b"[-1e999]", "number_out_of_range", None),
    "400 digits": (b"1" * 400, "number_out_of_range", None),
    "6000 digits": (b"1" * 6000, "number_out_of_range", None),
    "2**64": (b'{"n":[1,18446744073709551616]}', "number_out_of_range", "/n/1"),
    "-2**63-1": (b'{"n":-9223372036854775809}', "number_out_of_range", "/n"),
    "lone high": (b'{"a":"\\ud800"}', "lone_surrogate", None),
    "lone low": (b'"\\uDFFF"', "lone_surrogate", None),
    "reversed pair": (b'"\\ude00\\ud83d"', "lone_surrogate", None),
    "lone in a name": (b'{"\\ud800":1}', "lone_surrogate", None),
    "duplicate": (b'{"a":1,"a":1}', "duplicate_key", "/a"),
    "duplicate, nested": (b'{"m":[{"x":1},{"y":{"k":1,"k":2}}]}', "duplicate_key", "/m/1/y/k"),
    "duplicate, spaced": (b'{"a" :1,\n"a"\t:2}', "duplicate_key", "/a"),
    "duplicate, escaped": (b'{"role":1,"\\u0072ole":2}', "duplicate_key", "/role"),
    "duplicate, hidden by a colon string": (b'{"a":1,"a":1,"b":"\\u003ax"}', "duplicate_key", "/a"),
    "duplicate, hidden by an escaped quote": (b'{"a":1,"a":"\\u0022","b":"\\u0022\\u005c"}', "duplicate_key", "/a"),
    "duplicate object": (b'{"a":{"b":"c"},"a":{}}', "duplicate_key", "/a"),
    "duplicate empty name": (b'{"":1,"":2}', "duplicate_key", "/"),
    "duplicate, private name": (b'{"jane@example.com":1,"jane@example.com":2}', "duplicate_key", "/*"),
    "depth 65": (b"[" * 65 + b"]" * 65, "too_deep", "/0" * 64),
    "depth 65, mixed": (b'{"a":[' * 32 + b"[]" + b"]}" * 32, "too_deep", "/a/0" * 32),
    "depth 300": (b"[" * 300 + b"]" * 300, "too_deep", "/0" * 64),
    "depth 100000": (b"[" * 100_000, "too_deep", None),
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED)
def test_accepts_with_one_meaning(data):
    value = strictjson.loads(data)
    assert value == json.loads(data) == orjson.loads(data)
    assert strictjson.loads(strictjson.dumps(value)) == value


@pytest.mark.parametrize(("data", "code", "pointer"), REFUSED.values(), ids=REFUSED)
def test_refuses(data, code, pointer):
    with pytest.raises(RequestError) as error:
        strictjson.loads(data)
    assert (error.value.code, error.value.pointer, error.value.status) == (code, pointer, 400)
    assert "jane" not in str(error.value)


def test_where_starts_the_pointer():
    with pytest.raises(RequestError) as error:
        strictjson.loads(b'{"a":1,"a":2}', where="/messages/0/content#")
    assert error.value.pointer == "/messages/0/content#/a"


def test_max_depth_is_counted_in_open_containers():
    assert strictjson.loads(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(RequestError):
        strictjson.loads(b"[[[]]]", max_depth=2)
    with pytest.raises(RequestError):
        strictjson.loads(b"[" * 300 + b"]" * 300, max_depth=100_000)


def test_the_error_keeps_no_copy_of_the_text():
    with pytest.raises(RequestError) as error:
        strictjson.loads(b'{"secret": "sk-abc" x}')
    assert "sk-abc" not in repr(error.value.__dict__)
    assert error.value.__suppress_context__


def test_a_large_text_is_refused_without_searching_for_the_place():
    data = b"{" + b",".join(b'"k%d":1' % i for i in range(20_000)) + b',"k0":2}'
    with pytest.raises(RequestError) as error:
        strictjson.loads(data)
    assert (error.value.code, error.value.pointer) == ("duplicate_key", None)


ADVERSARIAL = {
    "backslashes": lambda n: b'"' + b"\\\\" * (n // 2) + b'"',
    "quotes": lambda n: b"[" + b'"",' * (n // 3) + b"1]",
    "escaped quotes": lambda n: b'"' + b'\\"' * (n // 2) + b'"',
    "digits": lambda n: b"[" + b"1234567890123456789," * (n // 20) + b"1]",
    "long number": lambda n: b"9" * n,
    "open": lambda n: b"[" * n,
    "names": lambda n: b"{" + b",".join(b'"%07d":1' % i for i in range(n // 12)) + b"}",
    "surrogates": lambda n: b"[" + b'"\\ud800",' * (n // 9) + b"1]",
    "unclosed": lambda n: b'"' + b"a" * n,
    "floats": lambda n: b"[" + b"0.1234567890123456789," * (n // 22) + b"1]",
}


def _seconds(data):
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        with contextlib.suppress(RequestError):
            strictjson.loads(data)
        best = min(best, time.perf_counter() - start)
    return best


@pytest.mark.parametrize("make", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_time_grows_with_the_size_not_its_square(make):
    small, large = _seconds(make(50_000)), _seconds(make(800_000))
    assert large < max(small, 0.0005) * 16 * 6


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abc":\\ é', max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :\n")]))
@settings(deadline=None, max_examples=300, derandomize=True)
def test_every_value_comes_back(value, ascii_only, separators):
    data = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert strictjson.loads(data) == value == orjson.loads(data)


FRAGMENTS = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"b"',
    '"\\u0061"',
    "1",
    "-",
    "0",
    ".5",
    "e9",
    "e400",
    "9" * 19,
    "null",
    "NaN",
    " ",
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"',
    "\\",
    "\\\\",
    '":"',
    "\ufeff",
    "true",
    '{"a":',
    '"a":1,',
    "\x00",
]


def _standard(data):
    """What the standard parser says, made strict with its own hooks: the slow reference. None: refused."""

    def unique(pairs):
        if len({k for k, _ in pairs}) != len(pairs):
            raise ValueError("duplicate")
        return dict(pairs)

    def number(text):
        value = float(text)
        if math.isinf(value):
            raise ValueError("infinite")
        return value

    def integer(text):
        value = int(text)
        if not -(2**63) <= value < 2**64:
            raise ValueError("range")
        return value

    def refuse(_):
        raise ValueError("constant")

    try:
        value = json.loads(data, object_pairs_hook=unique, parse_float=number, parse_int=integer, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return [value]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
@settings(deadline=None, max_examples=1500, derandomize=True)
def test_accepts_exactly_what_the_strict_reference_accepts(text):
    expected = _standard(text)
    try:
        value = [strictjson.loads(text.encode())]
    except RequestError as error:
        assert expected is None, error.code
        return
    assert value == expected


NODE = r"""
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean);
const read = l => JSON.stringify(JSON.parse(Buffer.from(l, 'base64').toString('utf8')));
const out = lines.map(l => { try { return read(l); } catch { return null; } });
console.log(JSON.stringify(out));
"""


def _as_doubles(value):
    """JavaScript's view: every number is a double, -0 prints as 0."""
    if isinstance(value, dict):
        return {k: _as_doubles(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_doubles(v) for v in value]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def test_node_reads_the_same():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: JSON.parse is not compared")
    import base64
    import random

    rng = random.Random(7)
    texts = list(ACCEPTED.values())
    while len(texts) < 1500:
        data = "".join(rng.choice(FRAGMENTS) for _ in range(rng.randrange(1, 10))).encode()
        try:
            strictjson.loads(data)
        except RequestError:
            continue
        texts.append(data)
    lines = "\n".join(base64.b64encode(t).decode() for t in texts)
    done = subprocess.run([node, "-e", NODE], input=lines, capture_output=True, text=True, timeout=60, check=True)
    for data, answer in zip(texts, json.loads(done.stdout), strict=True):
        assert answer is not None, data
        assert _as_doubles(json.loads(answer)) == _as_doubles(strictjson.loads(data)), data
