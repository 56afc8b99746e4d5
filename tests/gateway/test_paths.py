import pytest

from yett.errors import ConfigError
from yett.paths import shipped


@pytest.mark.parametrize(
    "name", ["policies", "gateway.yaml", "dev.yaml", "dev-keys.yaml", "gateway.schema.json", "policy.schema.json"]
)
def test_what_ships_is_found(name: str) -> None:
    assert shipped(name).exists()


def test_what_does_not_ship_is_an_error() -> None:
    with pytest.raises(ConfigError):
        shipped("nothing.yaml")
