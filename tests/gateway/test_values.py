import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from yett import values


@pytest.mark.parametrize(
    ("kind", "given", "result"),
    [
        pytest.param(values.Port, 0, 0, id="free port"),
        pytest.param(values.Port, "8080", 8080, id="digits from a variable"),
        pytest.param(values.Seconds, 5, 5.0, id="whole seconds"),
        pytest.param(values.Seconds, "0.25", 0.25, id="seconds from a variable"),
        pytest.param(values.HttpUrl, "https://api.example.com/v1/", "https://api.example.com/v1", id="slash dropped"),
        pytest.param(values.HttpUrl, "http://[::1]:9000", "http://[::1]:9000", id="IPv6"),
        pytest.param(values.Origin, "https://app.example.com:8443", "https://app.example.com:8443", id="origin"),
        pytest.param(values.Network, "10.1.2.3", "10.1.2.3/32", id="address"),
        pytest.param(values.Network, "10.1.2.3/8", "10.0.0.0/8", id="network"),
        pytest.param(values.StateUrl, "rediss://h:1/0", "rediss://h:1/0", id="redis over TLS"),
        pytest.param(values.MediaType, "text/csv", "text/csv", id="media type"),
        pytest.param(values.HeaderName, "OpenAI-Organization", "OpenAI-Organization", id="header"),
    ],
)
def test_accepts(kind: object, given: object, result: object) -> None:
    assert TypeAdapter(kind).validate_python(given) == result


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        pytest.param(values.Port, True, id="boolean port"),
        pytest.param(values.Port, 65536, id="port too high"),
        pytest.param(values.Port, -1, id="port below zero"),
        pytest.param(values.Port, 80.5, id="fraction of a port"),
        pytest.param(values.Port, "80a", id="port with a letter"),
        pytest.param(values.Count, 0, id="none"),
        pytest.param(values.Count, 2**60, id="absurd"),
        pytest.param(values.Workers, 257, id="too many workers"),
        pytest.param(values.Depth, 513, id="too deep"),
        pytest.param(values.Seconds, 0, id="no time"),
        pytest.param(values.Seconds, float("inf"), id="for ever"),
        pytest.param(values.Seconds, float("nan"), id="not a number"),
        pytest.param(values.Seconds, True, id="boolean seconds"),
        pytest.param(values.Host, "", id="empty host"),
        pytest.param(values.Host, "http://x", id="URL as host"),
        pytest.param(values.HttpUrl, "ftp://x", id="scheme"),
        pytest.param(values.HttpUrl, "api.example.com", id="no scheme"),
        pytest.param(values.HttpUrl, "https://u:p@x/v1", id="credentials"),
        pytest.param(values.HttpUrl, "https://x/v1?k=1", id="query"),
        pytest.param(values.HttpUrl, "https://x/v1\r\nHost: y", id="line break"),
        pytest.param(values.HttpUrl, "https://x:99999/", id="port of a URL"),
        pytest.param(values.HttpUrl, "https://[::1/", id="broken IPv6"),
        pytest.param(values.Origin, "https://x/path", id="origin with path"),
        pytest.param(values.Network, "10.0.0.0/99", id="mask"),
        pytest.param(values.StateUrl, "sqlite:///", id="no database file"),
        pytest.param(values.StateUrl, "postgres://x", id="other database"),
        pytest.param(values.MediaType, "Text/CSV", id="upper case"),
        pytest.param(values.HeaderName, "Authorization", id="our own header"),
        pytest.param(values.HeaderName, "a b", id="blank in a header"),
        pytest.param(values.HeaderValue, "a\r\nb: c", id="header injection"),
        pytest.param(values.Credential, SecretStr(""), id="empty credential"),
        pytest.param(values.Credential, SecretStr("a\nb"), id="line break in a credential"),
        pytest.param(values.Name, "", id="empty name"),
        pytest.param(values.Name, "a b", id="blank in a name"),
        pytest.param(values.FileName, "", id="no file"),
    ],
)
def test_refuses(kind: object, given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(given)
