"""Running a gateway as a process, or several: sockets, uvicorn, signals, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import structlog
import uvicorn

from yett.app import Gateway
from yett.config import Settings
from yett.errors import ConfigError
from yett.server.admin import make_admin_app
from yett.server.protocol import hardened_protocol
from yett.telemetry import configure_logging
from yett.vault import load_master_key

log = structlog.get_logger("yett.run")
BACKLOG = 2048
GC_OBJECTS = 20_000
SWITCH_S = 0.0005
DRAIN_S = 20
NOTICE_S = 1.0  # how long /readyz says 503 before connections are refused: balancers must have time to look

Announce = Callable[[Settings, str, str], None]


def run_gateway(
    settings: Settings,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    announce: Announce | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError or PluginError before the first connection is accepted.

    `announce(settings, data_url, admin_url)` is called once when the first worker is ready.
    """
    configure_logging()
    server = settings.server
    count = workers or server.workers
    if count > 1 and settings.state.startswith("sqlite:"):
        raise ConfigError("more than one worker needs a shared state: set `state: redis://...`")
    load_master_key(settings.path(settings.vault_key))  # made once, before workers could race for it
    data = _listen(host or server.host, server.port if port is None else port)
    if count == 1:
        _serve_one(settings, data, 0, announce)
    else:
        _supervise(settings, data, count, announce)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _serve_one(settings: Settings, data: socket.socket, worker: int, announce: Announce | None) -> None:
    import uvloop

    # A write wakes the thread that syncs the log; with the default of 5 ms it fights the loop for the interpreter.
    sys.setswitchinterval(SWITCH_S)
    uvloop.run(_serve(settings, data, worker, announce))


async def _serve(settings: Settings, data: socket.socket, worker: int, announce: Announce | None) -> None:
    admin_port = settings.admin.port + worker if settings.admin.port else 0
    admin = _listen(settings.admin.host, admin_port)
    async with Gateway.opened(settings, worker) as gateway:
        servers = [
            _Server(_data_config(settings, gateway)),
            _Server(
                uvicorn.Config(make_admin_app(gateway.core, gateway.reload), lifespan="off", log_config=None, ws="none")
            ),
        ]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, gateway, servers)
        if announce is not None:
            announce(settings, _url(data), _url(admin))
        # What exists now stays: collections need not look at it again, and requests leave almost no cycles behind.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_OBJECTS)
        await asyncio.gather(servers[0].serve(sockets=[data]), servers[1].serve(sockets=[admin]))


def _data_config(settings: Settings, gateway: Gateway) -> uvicorn.Config:
    return uvicorn.Config(
        gateway.data,
        http=hardened_protocol(
            settings.limits.header_bytes, settings.timeouts.header_s, gateway.core.refusals.add_code
        ),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: two servers share one process and one end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _stop(gateway: Gateway, servers: list[_Server]) -> None:
    """First /readyz says no, then no new connections, then what is in flight may finish; a second signal hurries."""
    if gateway.core.stopping:
        gateway.core.live.end_all("shutting_down")
        for server in servers:
            server.force_exit = True
    gateway.core.stopping = True

    def refuse() -> None:
        for server in servers:
            server.should_exit = True

    asyncio.get_running_loop().call_later(NOTICE_S, refuse)


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _supervise(settings: Settings, data: socket.socket, count: int, announce: Announce | None) -> None:
    """Fork `count` workers on one socket; one that dies is started again; SIGTERM ends them all.

    Each worker has an audit log of its own and its own admin port: admin.port, admin.port + 1, ...
    """
    children: dict[int, int] = {}
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for worker in range(count):
        children[_fork(settings, data, worker, announce if worker == 0 else None)] = worker
    while children:
        pid, status = os.wait()
        died = children.pop(pid, None)
        if died is None or stopping:
            continue
        log.error("worker_died", worker=died, status=os.waitstatus_to_exitcode(status))
        if os.waitstatus_to_exitcode(status) == 78:
            stop()
            raise ConfigError("a worker could not start; its message is above")
        children[_fork(settings, data, died, None)] = died


def _fork(settings: Settings, data: socket.socket, worker: int, announce: Announce | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = 0
    try:
        _serve_one(settings, data, worker, announce)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        code = 78
    finally:
        os._exit(code)
