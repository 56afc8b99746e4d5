"""The admin port: readiness with detail, metrics, and the admin API under /yett/v1. FastAPI serves it and its docs."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response

from yett.server.core import Core
from yett.version import __version__


def make_admin_app(core: Core, reload: Callable[[], None]) -> FastAPI:
    """The admin application of one gateway. With `admin.token` set, everything but /livez asks for it."""
    app = FastAPI(title="Yett admin", version=__version__, docs_url="/docs", redoc_url=None)
    token = core.settings.admin.token
    expected = b"Bearer " + token.get_secret_value().encode() if token is not None else None

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        if expected is not None and not hmac.compare_digest(authorization.encode("utf-8", "replace"), expected):
            raise HTTPException(status_code=401, detail="the admin token is missing or wrong")

    guarded = [Depends(authorised)]

    @app.get("/livez", tags=["health"])
    def livez() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], dependencies=guarded)
    def readyz(response: Response) -> dict[str, object]:
        """Which promises hold now; 503 while the gateway would refuse everything."""
        held = core.promises()
        response.status_code = 200 if held["ready"] else 503
        return held

    @app.get("/metrics", tags=["health"], dependencies=guarded)
    def metrics() -> Response:
        """Prometheus text format."""
        return Response(core.metrics.expose(), media_type="text/plain; version=0.0.4")

    @app.get("/yett/v1/plugins", tags=["admin"], dependencies=guarded)
    def plugins() -> list[dict[str, Any]]:
        """The plugins in order, with their hooks."""
        return [
            {"name": p.name, "source": p.source, "hooks": list(p.hooks), "fail_open": p.fail_open, "doc": p.doc}
            for p in core.registry.describe()
        ]

    @app.get("/yett/v1/policy", tags=["admin"], dependencies=guarded)
    def policy() -> dict[str, object]:
        """The active policy revision, and why a newer one was refused."""
        return {"revision": core.policies.current.revision, "rejected": core.policies.rejected}

    @app.post("/yett/v1/reload", tags=["admin"], dependencies=guarded)
    def reload_now() -> dict[str, object]:
        """Take up changed policy and key files now instead of within half a second."""
        reload()
        return {"revision": core.policies.current.revision, "rejected": core.policies.rejected}

    @app.get("/yett/v1/flows", tags=["admin"], dependencies=guarded)
    def flows() -> dict[str, int]:
        """How many flows are in flight."""
        return {"in_flight": len(core.live)}

    return app
