"""Surrogates: of the right form, of nobody, stable, never one that is taken."""

import ipaddress
import json
import re

import pytest
from stdnum import iban, luhn

from helpers.asgi import chat_answer, chat_chunks, harness, sse
from yett.errors import RequestError
from yett.surrogates import SURROGATE_MAX_LEN, SURROGATE_PATTERNS, surrogate

KEY = b"k" * 32
VALUES = {
    "EMAIL": "ada@example.com",
    "PHONE": "+44 20 7946 0958",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN": "DE89 3704 0044 0532 0130 00",
    "US_SSN": "536-90-4399",
    "IP": "81.2.69.142",
}


def free(candidate: str) -> bool:
    return not candidate


def made(entity: str, value: str) -> str:
    found = surrogate(entity, value, KEY, free)
    assert found is not None
    return found


@pytest.mark.parametrize(("entity", "value"), VALUES.items())
def test_it_has_the_form_that_is_searched_for_and_is_stable(entity: str, value: str) -> None:
    found = made(entity, value)
    assert re.fullmatch(SURROGATE_PATTERNS[entity], found)
    assert len(found) <= SURROGATE_MAX_LEN
    assert found == made(entity, value) != value
    assert found != made(entity, value + "1")
    assert found != surrogate(entity, value, b"another tenant", free)


def test_every_kind_keeps_its_rules_for_a_thousand_values() -> None:
    for number in range(1000):
        assert luhn.is_valid(made("CREDIT_CARD", str(number)))
        account = made("IBAN", str(number))
        assert int("".join(str(int(c, 36)) for c in account[4:] + account[:4])) % 97 == 1
        with pytest.raises(iban.InvalidComponent):  # well formed, of no country
            iban.validate(account)
        area, group, serial = made("US_SSN", str(number)).split("-")
        assert area[0] == "9"
        assert 1 <= int(group) <= 49
        assert serial != "0000"
        assert re.fullmatch(r"\+1[2-9]\d\d55501\d\d", made("PHONE", str(number)))


@pytest.mark.parametrize("value", ["81.2.69.142", "2a00:1450:4001::8a"])
def test_addresses_are_of_documentation_and_of_the_same_version(value: str) -> None:
    found, given = ipaddress.ip_address(made("IP", value)), ipaddress.ip_address(value)
    assert found.version == given.version
    blocks = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
    assert any(found in ipaddress.ip_network(block) for block in blocks)


def test_one_that_is_taken_is_not_given() -> None:
    first = made("EMAIL", "ada@example.com")
    second = surrogate("EMAIL", "ada@example.com", KEY, {first}.__contains__)
    assert second not in (None, first)


def test_a_range_without_room_is_refused_and_says_so() -> None:
    taken: set[str] = set()
    with pytest.raises(RequestError) as caught:
        for number in range(800):
            found = surrogate("IP", f"10.1.{number // 250}.{number % 250}", KEY, taken.__contains__)
            assert found is not None
            taken.add(found)
    assert caught.value.code == "pseudonyms_exhausted"
    assert len(taken) > 740
    assert "10.1." not in str(caught.value)


def test_what_has_no_form_of_its_own_gets_none() -> None:
    assert surrogate("PERSON", "Ada", KEY, free) is None


SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "contact", "schema": {"type": "object", "properties": {"to": {"format": "email"}}}},
}


async def test_a_constrained_answer_gets_values_of_the_same_form_and_restores_them(tmp_path):
    def reply(request):
        said = json.loads(request.body)["messages"][0]["content"]
        return chat_answer(json.dumps({"to": said.split()[-1], "call": said.split(";")[0]}))

    async with harness(tmp_path, reply) as gate:
        text = "+44 20 7946 0958; write to ada@corp.example"
        got = await gate.chat(text, response_format=SCHEMA)
        sent = gate.upstream.bodies[0]["messages"][0]["content"]
        assert re.fullmatch(rf"{SURROGATE_PATTERNS['PHONE']}; write to {SURROGATE_PATTERNS['EMAIL']}", sent)
        answer = json.loads(got.json()["choices"][0]["message"]["content"])
        assert answer == {"to": "ada@corp.example", "call": "+44 20 7946 0958"}
        assert gate.records("completed")[0]["findings"] == []


@pytest.mark.parametrize("size", [0, 1, 7, 30])
async def test_they_are_restored_in_a_stream_however_it_is_cut(tmp_path, size):
    def reply(request):
        said = json.loads(request.body)["messages"][0]["content"]
        pieces = [said[at : at + size] for at in range(0, len(said), size)] if size else [said]
        return sse(*chat_chunks(*pieces))

    async with harness(tmp_path, reply) as gate:
        text = f"{'; '.join(VALUES.values())}."
        got = await gate.chat(text, response_format=SCHEMA, stream=True)
        sent = gate.upstream.bodies[0]["messages"][0]["content"]
        assert not any(value in sent for value in VALUES.values())
        assert got.text() == text
        assert gate.records("completed")[0]["findings"] == []


async def test_a_value_of_the_caller_that_looks_like_a_surrogate_is_not_mistaken_for_one(tmp_path):
    async with harness(tmp_path, lambda r: chat_answer(json.loads(r.body)["messages"][0]["content"])) as gate:
        first = await gate.chat("from ada@corp.example", response_format=SCHEMA)
        assert first.status == 200
        taken = gate.upstream.bodies[0]["messages"][0]["content"].split()[-1]
        got = await gate.chat(f"not {taken} but ada@corp.example", response_format=SCHEMA)
        assert got.json()["choices"][0]["message"]["content"] == f"not {taken} but ada@corp.example"
        assert "ada@corp" not in gate.upstream.raw.decode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_longer_value_that_begins_like_a_stand_in_is_left_alone(tmp_path, stream):
    """`192.0.2.1` stands for the caller's address; `192.0.2.17` in the answer is the model's own."""

    def reply(request):
        said = json.loads(request.body)["messages"][0]["content"].split()
        answer = " ".join(f"{value} {value}7" for value in said)
        return sse(*chat_chunks(answer)) if stream else chat_answer(answer)

    async with harness(tmp_path, reply) as gate:
        got = await gate.chat("81.2.69.142 +442079460958", response_format=SCHEMA, stream=stream)
        ip, phone = gate.upstream.bodies[0]["messages"][0]["content"].split()
        text = got.text() if stream else got.json()["choices"][0]["message"]["content"]
        assert text == f"81.2.69.142 {ip}7 +442079460958 {phone}7"
