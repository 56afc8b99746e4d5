"""The kinds of value a setting can have, each refusing what can only be a mistake. Messages never tell the value."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "connection"})


def _whole(value: object) -> object:
    """An integer, or its digits where an environment variable gave them; never a boolean or a fraction."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is expected")  # noqa: TRY004  # pydantic reports ValueError only
    return value


def _number(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is expected")  # noqa: TRY004  # pydantic reports ValueError only
    return value


def _http_url(text: str) -> str:
    """A base URL: scheme, host and path only, without the slash at its end."""
    try:
        url = urlsplit(text)
        port_ok = url.port is None or url.port > 0
    except ValueError:
        raise ValueError("not a URL") from None
    if url.scheme not in {"http", "https"} or not url.hostname or not port_ok or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError("a URL such as https://api.example.com/v1 is expected")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("credentials, query and fragment do not belong in the URL: use api_key and headers")
    return text.rstrip("/")


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", text):
        raise ValueError("an origin such as https://app.example.com is expected (no path), or '*'")
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("an IP address or network such as 10.0.0.0/8 is expected") from None


def _credential(secret: SecretStr) -> SecretStr:
    """What may stand in a header as a credential: visible ASCII, not empty."""
    if not re.fullmatch(r"[\x21-\x7e]{1,8192}", secret.get_secret_value()):
        raise ValueError("a credential of visible ASCII characters without spaces is expected")
    return secret


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]{0,8192}", text):
        raise ValueError("a header value of ASCII characters on one line is expected")
    return text


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("not a header name")
    if text.lower() in _OWN_HEADERS:
        raise ValueError("this header is set by the gateway itself")
    return text


def _state_url(text: str) -> str:
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        return text
    if re.fullmatch(r"(?:rediss?://[^\s]+|unix:///[^\s]+)", text):
        return text
    raise ValueError("sqlite:///PATH, redis://HOST:PORT/DB or unix:///PATH (Redis) is expected")


def _file_name(path: Path) -> Path:
    if path == Path() or "\x00" in str(path):
        raise ValueError("a file or folder name is expected")
    return path


def _media_type(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", text):
        raise ValueError("a media type such as text/csv is expected, in lower case")
    return text


# The bounds stand before the validator: only so do they reach the JSON Schema.
Port = Annotated[int, Field(ge=0, le=65535), BeforeValidator(_whole)]
Count = Annotated[int, Field(gt=0, le=2**53), BeforeValidator(_whole)]
Workers = Annotated[int, Field(gt=0, le=256), BeforeValidator(_whole)]
Depth = Annotated[int, Field(gt=0, le=512), BeforeValidator(_whole)]
Days = Annotated[int, Field(gt=0, le=36500), BeforeValidator(_whole)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False), BeforeValidator(_number)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x20\x7f]+$")]
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00-\x20\x7f/]+$")]
FileName = Annotated[Path, AfterValidator(_file_name), Field(json_schema_extra={"minLength": 1})]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
StateUrl = Annotated[str, AfterValidator(_state_url)]
MediaType = Annotated[str, AfterValidator(_media_type)]
Credential = Annotated[SecretStr, AfterValidator(_credential)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
AllowDeny = Literal["deny", "allow"]
