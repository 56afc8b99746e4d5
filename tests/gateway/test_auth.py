import hashlib
import multiprocessing
import re
import stat
import timeit
from pathlib import Path

import pytest

from yett.auth import KeyRing, KeySource, create_key, read_keys, revoke_key
from yett.errors import ConfigError, RequestError
from yett.flow import Principal

ENTRY = """\
keys:
  - id: abcdefgh
    hash: sha256:{hash}
    principal: {{id: bot, tenant: acme, roles: [developer, auditor], agent: worker}}
    created: 2026-01-01
"""
KEY = "yett_abcdefgh_" + "s" * 43


def ring(tmp_path: Path, text: str | None = None) -> KeyRing:
    file = tmp_path / "keys.yaml"
    file.write_text(text or ENTRY.format(hash=hashlib.sha256(KEY.encode()).hexdigest()))
    return KeyRing.load(file)


def refused(keys: KeyRing, header: bytes | None) -> RequestError:
    with pytest.raises(RequestError) as caught:
        keys.authenticate(header)
    return caught.value


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer    "])
def test_a_key_becomes_its_principal(scheme: str, tmp_path: Path) -> None:
    who = ring(tmp_path).authenticate(f"{scheme}{KEY}".encode())
    assert who == Principal("bot", "acme", "worker", ("developer", "auditor"), "abcdefgh")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"Bearer", id="scheme alone"),
        pytest.param(b"Bearer ", id="no key"),
        pytest.param(KEY.encode(), id="no scheme"),
        pytest.param(b"Basic " + KEY.encode(), id="other scheme"),
        pytest.param(b"Bearer " + KEY.encode()[:-1], id="one letter short"),
        pytest.param(b"Bearer " + KEY.encode() + b"s", id="one letter more"),
        pytest.param(b"Bearer yett_abcdefgh_", id="id without secret"),
        pytest.param(b"Bearer yett_zzzzzzzz_" + b"s" * 43, id="unknown id"),
        pytest.param(b"Bearer sk-" + b"s" * 43, id="a provider's key"),
        pytest.param(b"Bearer XXXX_abcdefgh_" + b"s" * 43, id="other prefix"),
        pytest.param(b"Bearer " + b"yett_abcdefgh_" + b"s" * 100_000, id="huge"),
        pytest.param(b"Bearer \xff\x00\n", id="bytes"),
        pytest.param(b"Bearer " + KEY.encode() + b", Bearer x", id="two keys"),
    ],
)
def test_everything_else_is_one_and_the_same_refusal(header: bytes | None, tmp_path: Path) -> None:
    keys = ring(tmp_path)
    error, known = refused(keys, header), refused(keys, None)
    assert (error.status, error.code, error.message) == (401, "invalid_api_key", known.message)
    assert "abcdefgh" not in error.message


def test_a_revoked_key_is_refused_like_an_unknown_one(tmp_path: Path) -> None:
    keys = ring(tmp_path, ENTRY.format(hash=hashlib.sha256(KEY.encode()).hexdigest()) + "    revoked: true\n")
    assert refused(keys, b"Bearer " + KEY.encode()).message == refused(keys, None).message
    assert keys.valid("abcdefgh") is False


def test_valid_tells_live_keys_by_id(tmp_path: Path) -> None:
    assert ring(tmp_path).valid("abcdefgh") is True
    assert ring(tmp_path).valid("zzzzzzzz") is False


HASH = "0" * 64
BAD = [
    ("keys: {}", "keys.yaml:1: keys: Input should be a valid tuple"),
    ("kyes: []", "keys.yaml:1: unknown key 'kyes' (did you mean 'keys'?)"),
    ("- id: x", "keys.yaml:1: a mapping is expected"),
    (f"keys:\n  - id: short\n    hash: sha256:{HASH}\n    principal: {{id: a}}", "keys.yaml:2: keys[0].id:"),
    (f"keys:\n  - id: UPPERCASE\n    hash: sha256:{HASH}\n    principal: {{id: a}}", "keys.yaml:2: keys[0].id:"),
    ("keys:\n  - id: abcdefgh\n    hash: md5:00\n    principal: {id: a}", "keys.yaml:3: keys[0].hash:"),
    (f"keys:\n  - id: abcdefgh\n    hash: sha256:{HASH}", "keys.yaml:2: keys[0].principal: this key is required"),
    (
        f"keys:\n  - id: abcdefgh\n    hash: sha256:{HASH}\n    principal: {{id: a, role: [x]}}",
        "keys.yaml:4: unknown key 'keys[0].principal.role' (did you mean 'roles'?)",
    ),
    (
        f"keys:\n  - id: abcdefgh\n    hash: sha256:{HASH}\n    principal: {{id: a, tenant: '*'}}",
        "keys.yaml:4: keys[0].principal.tenant:",
    ),
    (
        f"keys:\n  - id: abcdefgh\n    hash: sha256:{HASH}\n    principal: {{id: a, roles: ['principal:b']}}",
        "keys.yaml:4: keys[0].principal.roles[0]:",
    ),
    (
        f"keys:\n  - id: abcdefgh\n    hash: sha256:{HASH}\n    principal: {{id: a}}\n    revoked: yes",
        "keys.yaml:5: keys[0].revoked:",
    ),
    (
        "keys:\n" + f"  - {{id: abcdefgh, hash: 'sha256:{HASH}', principal: {{id: a}}}}\n" * 2,
        "keys.yaml:3: two keys have the id 'abcdefgh'",
    ),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[b[1].removeprefix("keys.yaml:") for b in BAD])
def test_a_bad_key_file_is_told_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        ring(tmp_path, text)
    assert told in str(caught.value)


def test_an_empty_key_file_lets_nobody_in(tmp_path: Path) -> None:
    assert refused(ring(tmp_path, "keys: []\n"), b"Bearer " + KEY.encode()).status == 401


def test_create_makes_a_private_file_without_the_key(tmp_path: Path) -> None:
    file = tmp_path / "new" / "keys.yaml"
    key = create_key(file, "bot", "developer", "acme")
    assert re.fullmatch(r"yett_[a-z][a-z0-9]{9}_[A-Za-z0-9_-]{43}", key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key.split("_", 2)[2] not in file.read_text()
    who = KeyRing.load(file).authenticate(f"Bearer {key}".encode())
    assert (who.id, who.tenant, who.agent, who.roles) == ("bot", "acme", "bot", ("developer",))


@pytest.mark.parametrize("agent", ["1e5", "007", "true", "null", "2026-01-01", "0x1f", "a.b-c@d_e", "no"])
def test_every_name_survives_the_file(agent: str, tmp_path: Path) -> None:
    create_key(tmp_path / "k.yaml", agent, agent, agent)
    who = read_keys(tmp_path / "k.yaml")[0].principal
    assert (who.id, who.roles, who.tenant) == (agent, (agent,), agent)


@pytest.mark.parametrize(
    ("agent", "role", "tenant"),
    [("", "r", "t"), ("a b", "r", "t"), ("a", "r:s", "t"), ("a", "r", "*"), ("a\n", "r", "t")],
)
def test_create_refuses_names_that_could_mean_something_else(
    agent: str, role: str, tenant: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError):
        create_key(tmp_path / "k.yaml", agent, role, tenant)
    assert not (tmp_path / "k.yaml").exists()


def test_create_and_revoke_keep_the_others_and_the_head(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    ring(tmp_path)
    file.write_text("# ours\n\n" + file.read_text())
    first = read_keys(file)[0]
    key = create_key(file, "other", "developer")
    assert file.read_text().startswith("# ours\n\nkeys:\n")
    assert read_keys(file)[0] == first
    revoke_key(file, first.id)
    keys = KeyRing.load(file)
    assert refused(keys, b"Bearer " + KEY.encode()).status == 401
    assert keys.authenticate(f"Bearer {key}".encode()).id == "other"


def test_a_bad_file_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("keys: [oops")
    with pytest.raises(ConfigError):
        create_key(file, "bot", "developer")
    assert file.read_text() == "keys: [oops"
    assert [p.name for p in tmp_path.iterdir()] == ["keys.yaml"]


def test_revoking_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    ring(tmp_path)
    with pytest.raises(ConfigError, match="did you mean 'abcdefgh'"):
        revoke_key(tmp_path / "keys.yaml", "abcdefgx")


def test_a_link_to_the_key_file_stays_a_link(tmp_path: Path) -> None:
    ring(tmp_path)
    (tmp_path / "link.yaml").symlink_to("keys.yaml")
    create_key(tmp_path / "link.yaml", "bot", "developer")
    assert (tmp_path / "link.yaml").is_symlink()
    assert len(read_keys(tmp_path / "keys.yaml")) == 2


def _create(file: Path, number: int) -> None:
    create_key(file, f"agent{number}", "developer")


def test_two_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_create, args=(file, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert {key.principal.id for key in read_keys(file)} == {"agent0", "agent1", "agent2"}


def test_a_running_gateway_sees_a_revoked_key(tmp_path: Path) -> None:
    ring(tmp_path)
    source = KeySource(tmp_path / "keys.yaml")
    assert source.current.authenticate(b"Bearer " + KEY.encode()).id == "bot"
    revoke_key(tmp_path / "keys.yaml", "abcdefgh")
    assert source.poll() is True
    assert refused(source.current, b"Bearer " + KEY.encode()).status == 401


def test_authentication_is_quick(tmp_path: Path) -> None:
    keys, header = ring(tmp_path), b"Bearer " + KEY.encode()
    best_s = min(timeit.repeat(lambda: keys.authenticate(header), number=2000, repeat=5)) / 2000
    assert best_s < 20e-6, "three microseconds on an idle machine"
