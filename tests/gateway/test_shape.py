import pytest
from pydantic import Field

from yett.errors import ConfigError
from yett.shape import MAX_TOLD, Shape, check
from yett.strictyaml import parse


class Inner(Shape):
    size: int = 1
    colour: str | None = None


class Outer(Shape):
    name: str
    inner: Inner | None = None
    many: dict[str, Inner] = Field(default_factory=dict)
    row: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("nmae: x", "f:1: name: this key is required", id="missing"),
        pytest.param("name: x\ninnr: {}", "f:2: unknown key 'innr' (did you mean 'inner'?)", id="top level"),
        pytest.param(
            "name: x\ninner: {sise: 1}", "f:2: unknown key 'inner.sise' (did you mean 'size'?)", id="optional"
        ),
        pytest.param(
            "name: x\nmany:\n  a:\n    color: red",
            "f:4: unknown key 'many.a.color' (did you mean 'colour'?)",
            id="dict",
        ),
        pytest.param(
            "name: x\nrow:\n  - {}\n  - sz: 1", "f:4: unknown key 'row[1].sz' (did you mean 'size'?)", id="list"
        ),
        pytest.param("name: x\nqqqq: 1", "f:2: unknown key 'qqqq'", id="nothing near"),
        pytest.param("- a", "f:1: a mapping is expected here (`name: value`)", id="list for mapping"),
    ],
)
def test_tells_line_and_nearest_name(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(Outer, parse(text.encode(), "f"))
    assert message in str(caught.value).splitlines()


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        check(Outer, parse(b"b1: 1\nname: [1]\nb2: 2", "f"))
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["f:1", "f:2", "f:3"]


def test_mistakes_are_told_up_to_a_limit() -> None:
    text = "name: x\n" + "".join(f"u{n}: 1\n" for n in range(100))
    with pytest.raises(ConfigError) as caught:
        check(Outer, parse(text.encode(), "f"))
    assert len(str(caught.value).splitlines()) == MAX_TOLD


def test_the_offending_value_is_never_told() -> None:
    with pytest.raises(ConfigError) as caught:
        check(Outer, parse(b"name: x\nrow: canary-value", "f"))
    assert "canary" not in str(caught.value)


def test_a_good_document_becomes_its_shape() -> None:
    assert check(Outer, parse(b"name: x\nrow: [{size: 2}]", "f")) == Outer(name="x", row=(Inner(size=2),))
