"""TLS: the name is verified and sent, a wrong certificate is refused, a cut connection is not an end."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from helpers.loops import on_both_loops
from helpers.transport import LIMITS, POST, fails, fetch, head
from helpers.upstream import FakeUpstream, Reply
from yett.upstream.egress import Address, Resolver
from yett.upstream.transport import HttpTransport, client_ssl_context

NAME = "provider.test"


class Here(Resolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        return (Address("127.0.0.1", port, socket.AF_INET),)


def certificate(folder: Path, name: str = NAME) -> Path:
    """A self-signed certificate for `name` and 127.0.0.1, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def contexts(pem: Path, *, trusted: bool = True) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    client = client_ssl_context()
    if trusted:
        client.load_verify_locations(pem)
    return server, client


def transport_to(port: int, client: ssl.SSLContext, name: str = NAME) -> HttpTransport:
    return HttpTransport(f"https://{name}:{port}", deadlines=LIMITS, ssl_context=client, resolver=Here(), drain_s=0.5)


@on_both_loops
async def test_verified_connection_is_kept_and_names_the_server(tmp_path: Path) -> None:
    server, client = contexts(certificate(tmp_path))
    asked: list[str | None] = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    async with FakeUpstream(lambda _: Reply(body=b"x" * 200_000), server) as upstream:
        transport = transport_to(upstream.port, client)
        for _ in range(3):
            assert await fetch(transport) == (200, b"x" * 200_000)
        assert asked == [NAME]
        assert upstream.connections == 1
        await transport.aclose()


@pytest.mark.parametrize("case", ["unknown issuer", "other name"])
@on_both_loops
async def test_certificates_that_do_not_fit_are_refused(tmp_path: Path, case: str) -> None:
    server, client = contexts(certificate(tmp_path), trusted=case != "unknown issuer")
    async with FakeUpstream(lambda _: Reply(body=b"ok"), server) as upstream:
        transport = transport_to(upstream.port, client, "other.test" if case == "other name" else NAME)
        error = await fails(transport)
        assert (error.code, error.status) == ("upstream_connect", 502)
        assert "certificate" in error.message
        assert upstream.calls == []
        await transport.aclose()


class Plain(asyncio.Protocol):
    """Answers anything, a client hello too, in clear."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.transport.write(head(b"HTTP/1.1 400 Bad Request", b"content-length: 0"))


@on_both_loops
async def test_server_that_speaks_no_tls_is_a_failed_connection(tmp_path: Path) -> None:
    _, client = contexts(certificate(tmp_path))
    server = await asyncio.get_running_loop().create_server(Plain, "127.0.0.1", 0)
    transport = transport_to(server.sockets[0].getsockname()[1], client)
    assert (await fails(transport)).code == "upstream_connect"
    await transport.aclose()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("end", ["cut", "close"])
@on_both_loops
async def test_answer_that_only_the_end_delimits_is_refused(tmp_path: Path, end: str) -> None:
    server, client = contexts(certificate(tmp_path))
    endless = Reply(raw=[head(b"HTTP/1.1 200 OK"), b"all of it?"], end=end)
    async with FakeUpstream(lambda _: endless, server) as upstream:
        transport = transport_to(upstream.port, client)
        assert (await fails(transport)).code == "upstream_protocol"
        await transport.aclose()


@pytest.mark.parametrize("reply", [Reply(body=b"hello", truncate=1, end="cut"), Reply(chunks=[b"a"], end="cut")])
@on_both_loops
async def test_cut_without_close_notify_does_not_end_an_answer(tmp_path: Path, reply: Reply) -> None:
    server, client = contexts(certificate(tmp_path))
    async with FakeUpstream(lambda _: reply, server) as upstream:
        transport = transport_to(upstream.port, client)
        assert (await fails(transport)).code == "upstream_reset"
        await transport.aclose()


@on_both_loops
async def test_closing_an_unfinished_answer_cancels_the_call(tmp_path: Path) -> None:
    server, client = contexts(certificate(tmp_path))
    async with FakeUpstream(lambda _: Reply(chunks=[b"a"], end="hang"), server) as upstream:
        transport = transport_to(upstream.port, client)
        response = await transport.send(POST)
        await response.aclose()
        await upstream.until(lambda: upstream.disconnects == 1, 1.0)
        await transport.aclose()
