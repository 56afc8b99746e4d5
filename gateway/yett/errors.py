"""Everything that can go wrong, and what the client sees of it.

    YettError
    ├── ConfigError            start-up or reload; exit 78; names file and line
    ├── PluginError            a plugin cannot be loaded, or broke its contract; exit 78 at start
    ├── RequestError    4xx    the client can mend it: `code`, `pointer`, what to do
    │   └── Denied      4xx    policy said no: carries the decision's rules
    └── Unavailable     503    the gate cannot answer for this request now (guard, audit, upstream)
        └── UpstreamError 502  the provider failed or refused us

One function, `envelope`, makes the OpenAI error body of any of them. Messages never contain the offending text.
"""

from __future__ import annotations

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


class YettError(Exception):
    """The root of all errors that Yett raises on purpose."""


class ConfigError(YettError):
    """A setting, policy file or key file is wrong. `where` is `file:line` (or `file`) for the message."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class PluginError(YettError):
    """A plugin is missing, misspelt, of the wrong version, or returned what its hook does not allow."""


class HttpError(YettError):
    """An error with a status and a stable code, which `envelope` turns into OpenAI's error body."""

    status = 500
    code = "internal_error"
    kind = "api_error"
    retry = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        pointer: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.pointer = pointer
        self.retry_after_s = retry_after_s


class RequestError(HttpError):
    """The request is malformed, too large, unknown or not permitted; sending it again will not help."""

    status = 400
    code = "invalid_request"
    kind = "invalid_request_error"


class Denied(RequestError):
    """Policy refused: 400 `guardrail_blocked` for content, 403 for authorisation. `rules` names who decided."""

    code = "guardrail_blocked"

    def __init__(self, message: str, *, rules: tuple[str, ...] = (), **more: object) -> None:
        super().__init__(message, **more)  # type: ignore[arg-type]  # keywords of HttpError, checked there
        self.rules = rules


class Unavailable(HttpError):
    """The gate cannot vouch for this request right now: 503, nothing was let through unseen."""

    status = 503
    code = "unavailable"
    kind = "api_error"
    retry = True


class UpstreamError(Unavailable):
    """The provider could not be reached, broke off, answered garbage or refused our credentials."""

    status = 502
    code = "upstream_error"


def envelope(error: HttpError, trace_id: str = "", request_id: str = "") -> dict[str, dict[str, object]]:
    """OpenAI's error body for `error`: message, type, param (the JSON pointer at fault), code, and the trace id."""
    return {
        "error": {
            "message": error.message,
            "type": error.kind,
            "param": error.pointer,
            "code": error.code,
            "trace_id": trace_id,
            "request_id": request_id,
        }
    }
