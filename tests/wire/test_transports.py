"""What every transport does, each through the same tests, against real sockets."""

import asyncio
import gzip
import os
import socket
import ssl
import subprocess
import sys
import zlib
from datetime import UTC, datetime

import pytest

from toolstone import limits
from toolstone.errors import (
    ConfigError,
    DeadlineError,
    LimitError,
    ProtocolError,
    TransportError,
)
from toolstone.wire import Deadlines, HttpRequest, HttpxTransport, Transport, reply_headers

pytestmark = pytest.mark.usefixtures("no_proxies")


def post(url, body=b"{}", **headers):
    return HttpRequest("POST", f"{url}/responses", {"content-type": "a/b", **headers}, body)


async def read(stream):
    return b"".join([piece async for piece in stream.chunks])


async def test_it_is_a_transport(transport):
    assert isinstance(transport(), Transport)


async def test_a_request_arrives_as_it_was_made(transport, peer):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = transport()
        request = post(there.url, b'{"a": "\xc3\xa9"}', authorization="Bearer x", **{"x-y": "z"})
        answer = await carrier.send(request)
        await carrier.aclose()

    (seen,) = there.requests
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/responses", request.body)
    assert seen.headers["authorization"] == "Bearer x"
    assert seen.headers["x-y"] == "z"
    assert seen.headers["content-type"] == "a/b"
    assert (answer.status, answer.body) == (200, b"fine")


async def test_headers_come_in_lower_case_and_repeated_ones_joined(transport, peer):
    async with peer.Peer(peer.reply(200, b"", "X-One: a", "x-one: b", "Date: c")) as there:
        answer = await transport().send(post(there.url))

    assert (answer.headers["x-one"], answer.headers["date"]) == ("a, b", "c")


@pytest.mark.parametrize("status", [200, 204, 400, 404, 429, 500, 503])
async def test_every_status_is_an_answer(transport, peer, status):
    async with peer.Peer(peer.reply(status, b"" if status == 204 else b"why")) as there:
        answer = await transport().send(post(there.url))

    assert (answer.status, answer.body) == (status, b"" if status == 204 else b"why")


async def test_one_connection_serves_many_requests(transport, peer):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = transport()
        for _ in range(5):
            await carrier.send(post(there.url))

    assert (len(there.requests), there.connections) == (5, 1)


async def test_a_stream_gives_bytes_as_they_arrive_and_frees_its_connection(transport, peer):
    seen_first = asyncio.Event()
    stream = [peer.chunked_head(), peer.chunk(b"one"), seen_first, peer.chunk(b"two"), peer.END]
    async with peer.Peer(stream) as there:
        carrier = transport()
        for _ in range(2):
            seen_first.clear()
            async with carrier.stream(post(there.url)) as answer:
                pieces = []
                async for piece in answer.chunks:
                    pieces.append(piece)
                    seen_first.set()
                assert pieces == [b"one", b"two"]

    assert (len(there.requests), there.connections) == (2, 1)


async def test_leaving_a_stream_early_closes_its_connection(transport, peer):
    async with peer.Peer([peer.chunked_head(), peer.chunk(b"one"), peer.HANG]) as there:
        carrier = transport()
        async with carrier.stream(post(there.url)) as answer:
            assert await anext(answer.chunks) == b"one"
        async with asyncio.timeout(5):
            await there.gone.wait()


async def test_cancelling_a_request_closes_its_connection(transport, peer):
    async with peer.Peer([peer.HANG]) as there:
        carrier = transport()
        task = asyncio.create_task(carrier.send(post(there.url)))
        async with asyncio.timeout(5):
            await there.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await there.gone.wait()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_nothing_is_sent_there(transport, peer, status):
    async with peer.Peer(b"") as elsewhere:
        location = f"location: {elsewhere.url}/x"
        async with peer.Peer(peer.reply(status, b"", location)) as there:
            answer = await transport().send(post(there.url))

    assert (answer.status, elsewhere.connections) == (status, 0)


async def test_cookies_are_not_kept(transport, peer):
    async with peer.Peer(peer.reply(200, b"", "set-cookie: a=b; path=/")) as there:
        carrier = transport()
        await carrier.send(post(there.url))
        await carrier.send(post(there.url))

    assert "cookie" not in there.requests[1].headers


# ------------------------------------------------------------------------------- broken connections


async def test_refused_is_a_transport_error_in_connect(transport):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TransportError) as caught:
            await transport().send(post(url))

    assert (caught.value.phase, caught.value.retryable, caught.value.outcome) == (
        "connect",
        True,
        "none",
    )


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_an_end_before_the_headers_says_so(transport, peer, end):
    async with peer.Peer([end]) as there:
        with pytest.raises(TransportError) as caught:
            await transport().send(post(there.url))

    assert caught.value.phase in ("headers", "send")
    assert caught.value.retryable


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_an_end_within_the_body_says_so(transport, peer, end):
    half = [b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nhalf", end]
    async with peer.Peer(half) as there:
        with pytest.raises(TransportError) as caught:
            await transport().send(post(there.url))

    assert (caught.value.phase, caught.value.retryable) == ("body", True)


async def test_an_end_within_a_stream_comes_after_what_arrived(transport, peer):
    cut = peer.Peer([peer.chunked_head(), peer.chunk(b"one"), peer.CLOSE])
    async with cut as there, transport().stream(post(there.url)) as answer:
        assert await anext(answer.chunks) == b"one"
        with pytest.raises(TransportError):
            await anext(answer.chunks)


async def test_the_body_of_an_error_may_break_off(transport, peer):
    half = [b"HTTP/1.1 500 X\r\ncontent-length: 100\r\n\r\nhalf", peer.CLOSE]
    async with peer.Peer(half) as there:
        answer = await transport().send(post(there.url))

    assert (answer.status, answer.body) == (500, b"half")


@pytest.mark.parametrize(
    "framing",
    [
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
        b"HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\nab",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 X\r\nbad header: x\r\n\r\n",
        b"HTTP/1.1 200 X\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 X\r\nx: " + b"a" * 2**20 + b"\r\ncontent-length: 0\r\n\r\n",
    ],
    ids=["size", "crlf", "lengths", "negative", "nonsense", "name", "nul", "megabyte"],
)
async def test_broken_framing_is_a_transport_error(transport, peer, framing):
    async with peer.Peer([framing, peer.CLOSE]) as there:
        with pytest.raises(TransportError):
            await transport().send(post(there.url))


@pytest.mark.parametrize(
    "headers",
    [b"".join(b"x-%d: %d\r\n" % (n, n) for n in range(10_000)), b"x: a\r\n b\r\n"],
    ids=["ten thousand", "folded"],
)
async def test_strange_headers_are_refused_or_harmless(transport, peer, headers):
    head = b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n" + headers + b"\r\n"
    async with peer.Peer([head, peer.CLOSE]) as there:
        try:
            answer = await transport().send(post(there.url))
        except TransportError:
            return
    assert all(value.isprintable() for value in answer.headers.values())
    assert len(answer.headers) < 10_000


async def test_http_1_0_and_connection_close_work(transport, peer):
    old = [b"HTTP/1.0 200 OK\r\n\r\nfine", peer.CLOSE]
    async with peer.Peer(old) as there:
        carrier = transport()
        assert (await carrier.send(post(there.url))).body == b"fine"
        assert (await carrier.send(post(there.url))).body == b"fine"

    assert there.connections == 2


async def test_a_connection_that_the_peer_closed_meanwhile_is_not_used_again(transport, peer):
    async with peer.Peer([peer.reply(200, b"fine"), peer.CLOSE]) as there:
        carrier = transport()
        for _ in range(3):
            there.gone.clear()
            assert (await carrier.send(post(there.url))).body == b"fine"
            async with asyncio.timeout(5):
                await there.gone.wait()
            for _ in range(10):  # let our side hear of it
                await asyncio.sleep(0)


async def test_no_connection_in_time_names_the_deadline(transport):
    with socket.socket() as full:  # a listener whose backlog is full accepts no more
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003  the socket's own signature
            each.connect_ex(address)
        request = HttpRequest(
            "POST", f"http://127.0.0.1:{address[1]}/", {}, b"", Deadlines(connect=0.2)
        )
        with pytest.raises(DeadlineError, match=r"0\.2 s \(Deadlines\.connect\)") as caught:
            await transport().send(request)
        for each in waiting:
            each.close()

    assert caught.value.phase == "connect"


async def test_an_address_of_version_six_is_reached(transport, peer):
    try:
        there = await peer.Peer(
            peer.reply(200, b"fine"), host="::1", family=socket.AF_INET6
        ).__aenter__()
    except OSError:
        pytest.skip("this machine has no IPv6")
    try:
        answer = await transport().send(post(f"http://[::1]:{there.port}/v1"))
    finally:
        await there.__aexit__()

    assert answer.body == b"fine"


async def test_a_dead_family_does_not_stand_in_the_way(transport, peer, monkeypatch):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        real = socket.getaddrinfo

        def both(host, port, *args, **kwargs):
            found = real("127.0.0.1", port, socket.AF_INET, socket.SOCK_STREAM)
            family, kind, protocol, name, _ = found[0]
            dead = (socket.AF_INET6, kind, protocol, name, ("::1", port, 0, 0))
            return [dead, (family, kind, protocol, name, ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", both)
        answer = await transport().send(post(f"http://localhost:{there.port}"))

    assert answer.body == b"fine"


# --------------------------------------------------------------------------------------- limits


async def test_a_body_as_large_as_the_limit_arrives_and_one_byte_more_does_not(
    transport, peer, monkeypatch
):
    monkeypatch.setattr(limits, "BODY_BYTES", 1000)
    async with peer.Peer(peer.reply(200, b"x" * 1000), peer.reply(200, b"x" * 1001)) as there:
        carrier = transport()
        assert len((await carrier.send(post(there.url))).body) == 1000
        with pytest.raises(LimitError, match=r"limits\.BODY_BYTES"):
            await carrier.send(post(there.url))


async def test_of_an_error_only_the_beginning_is_read(transport, peer):
    endless = [b"HTTP/1.1 500 X\r\ncontent-length: 1000000000\r\n\r\n", b"x" * 2**20, peer.HANG]
    async with peer.Peer(endless) as there:
        answer = await transport().send(post(there.url))

    assert answer.body == b"x" * limits.ERROR_BODY_BYTES


async def test_an_answer_is_asked_for_uncompressed_and_read_compressed_all_the_same(
    transport, peer
):
    text = b'{"a": 1}' * 1000
    deflated = zlib.compress(text)
    async with peer.Peer(
        peer.reply(200, gzip.compress(text), "content-encoding: GZip"),
        peer.reply(200, deflated, "content-encoding: deflate"),
    ) as there:
        carrier = transport()
        for _ in range(2):
            answer = await carrier.send(post(there.url, **{"accept-encoding": "identity"}))
            assert answer.body == text

    assert there.requests[0].headers["accept-encoding"] == "identity"


async def test_a_bomb_does_not_go_off(transport, peer):
    bomb = gzip.compress(b"\0" * 100 * 2**20, compresslevel=9)
    async with peer.Peer(peer.reply(200, bomb, "content-encoding: gzip")) as there:
        with pytest.raises(LimitError, match=r"limits\.DECOMPRESS"):
            await transport().send(post(there.url))


@pytest.mark.parametrize(
    ("encoding", "body", "error"),
    [
        ("gzip", b"not gzip at all", ProtocolError),
        ("gzip", gzip.compress(b"x" * 1000)[:-12], TransportError),
        ("br", b"x", ProtocolError),
        ("zstd", b"x", ProtocolError),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x")), ProtocolError),
    ],
    ids=["wrong", "cut", "br", "zstd", "double"],
)
async def test_a_compression_that_is_not_one_is_told(transport, peer, encoding, body, error):
    async with peer.Peer(peer.reply(200, body, f"content-encoding: {encoding}")) as there:
        with pytest.raises(error):
            await transport().send(post(there.url))


# ------------------------------------------------------------------------------- TLS and proxies


async def test_an_authority_of_your_own_is_trusted_by_verify(transport, peer, server_tls, ca_file):
    async with peer.Peer(peer.reply(200, b"fine"), tls=server_tls) as there:
        carrier = transport(verify=ca_file)
        assert (await carrier.send(post(there.url))).body == b"fine"
        own = ssl.create_default_context(cafile=ca_file)
        assert (await transport(verify=own).send(post(there.url))).body == b"fine"


async def test_an_authority_of_your_own_is_trusted_by_the_environment(
    transport, peer, server_tls, ca_file, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    async with peer.Peer(peer.reply(200, b"fine"), tls=server_tls) as there:
        assert (await transport().send(post(there.url))).body == b"fine"
        with pytest.raises(TransportError):
            await transport(trust_env=False).send(post(there.url))


async def test_a_certificate_from_nowhere_is_no_connection(transport, peer, server_tls):
    async with peer.Peer(peer.reply(200, b"fine"), tls=server_tls) as there:
        with pytest.raises(TransportError, match="TLS failed") as caught:
            await transport().send(post(there.url))

    assert (caught.value.phase, caught.value.retryable) == ("connect", False)
    assert there.requests == []
    assert "verify=False" not in str(caught.value)


async def test_a_certificate_for_another_host_is_no_connection(transport, peer, authority, ca_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    async with peer.Peer(peer.reply(200, b"fine"), tls=context) as there:
        with pytest.raises(TransportError, match="TLS failed") as caught:
            await transport(verify=ca_file).send(post(there.url))

    assert not caught.value.retryable


async def test_an_expired_certificate_is_no_connection(transport, peer, authority, ca_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    authority.issue_cert("localhost", not_after=long_ago).configure_cert(context)
    async with peer.Peer(peer.reply(200, b"fine"), tls=context) as there:
        with pytest.raises(TransportError, match="TLS failed: certificate has expired"):
            await transport(verify=ca_file).send(post(there.url))


async def test_no_authorities_is_a_config_error(transport, peer, server_tls, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    async with peer.Peer(b"", tls=server_tls) as there:
        for path in (str(empty), str(tmp_path / "none.pem")):
            with pytest.raises(ConfigError, match="PEM"):
                await transport(verify=path).send(post(there.url))


async def test_without_tls_no_authorities_are_read(peer, tmp_path):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = HttpxTransport(verify=str(tmp_path / "none.pem"))
        assert (await carrier.send(post(there.url))).body == b"fine"


async def test_a_proxy_of_the_environment_is_used_only_if_that_is_trusted(
    transport, peer, server_tls, ca_file, monkeypatch
):
    async with (
        peer.Peer(peer.reply(200, b"fine"), tls=server_tls) as there,
        peer.Proxy() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        answer = await transport(verify=ca_file).send(post(there.url, authorization="Bearer x"))
        assert answer.body == b"fine"
        assert proxy.targets == [f"localhost:{there.port}"]

        await transport(verify=ca_file, trust_env=False).send(post(there.url))
        monkeypatch.setenv("NO_PROXY", "localhost")
        await transport(verify=ca_file).send(post(there.url))
        assert len(proxy.targets) == 1


async def test_a_proxy_may_be_given_with_a_password_and_streams_too(
    transport, peer, server_tls, ca_file
):
    stream = [peer.chunked_head(), peer.chunk(b"one"), peer.END]
    async with peer.Peer(stream, tls=server_tls) as there, peer.Proxy() as proxy:
        url = proxy.url.replace("http://", "http://me:secret@")
        carrier = transport(verify=ca_file, proxy=url)
        async with carrier.stream(post(there.url)) as answer:
            assert await read(answer) == b"one"

    assert proxy.credentials == ["Basic bWU6c2VjcmV0"]


async def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    transport, peer, server_tls, ca_file
):
    async with peer.Peer(b"", tls=server_tls) as there, peer.Proxy(refuse=True) as proxy:
        url = proxy.url.replace("http://", "http://me:secret@")
        with pytest.raises(TransportError, match="proxy") as caught:
            await transport(verify=ca_file, proxy=url).send(post(there.url))

    assert caught.value.phase == "connect"
    assert "secret" not in str(caught.value)


# -------------------------------------------------------------------------------- loops and forks


def test_pools_end_with_their_loop_and_the_next_loop_gets_its_own(transport, peer):
    carrier = transport()

    async def once():
        async with peer.Peer(peer.reply(200, b"fine")) as there:
            answers = await asyncio.gather(*(carrier.send(post(there.url)) for _ in range(12)))
            assert [answer.body for answer in answers] == [b"fine"] * 12

    for _ in range(3):
        asyncio.run(once())


async def test_after_closing_a_later_request_opens_anew(transport, peer):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = transport()
        await carrier.send(post(there.url))
        await carrier.aclose()
        await carrier.aclose()
        await carrier.send(post(there.url))

    assert there.connections == 2


async def test_a_hundred_at_once_all_arrive(transport, peer):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = transport()
        answers = await asyncio.gather(*(carrier.send(post(there.url)) for _ in range(150)))

    assert len(answers) == 150
    assert there.connections <= limits.CONNECTIONS


async def test_more_than_the_connections_wait_for_each_other(transport, peer):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = transport(connections=3)
        await asyncio.gather(*(carrier.send(post(there.url)) for _ in range(30)))

    assert (len(there.requests), there.connections) == (30, 3)


async def test_requests_to_two_origins_by_turns_keep_their_connections(transport, peer):
    async with peer.Peer(peer.reply(200, b"one")) as one, peer.Peer(peer.reply(200, b"two")) as two:
        carrier = transport(connections=2)
        for _ in range(5):
            assert (await carrier.send(post(one.url))).body == b"one"
            assert (await carrier.send(post(two.url))).body == b"two"

    assert (one.connections, two.connections) == (1, 1)


async def test_an_unused_connection_makes_way_for_one_to_elsewhere(transport, peer):
    async with peer.Peer(peer.reply(200, b"one")) as one, peer.Peer(peer.reply(200, b"two")) as two:
        carrier = transport(connections=2)
        await asyncio.gather(*(carrier.send(post(one.url)) for _ in range(6)))
        answers = await asyncio.gather(*(carrier.send(post(two.url)) for _ in range(6)))

    assert {answer.body for answer in answers} == {b"two"}
    assert (one.connections, two.connections) == (2, 2)


@pytest.mark.parametrize("connections", [0, -1])
def test_no_connections_at_all_are_refused(connections):
    with pytest.raises(ConfigError, match="at least 1"):
        HttpxTransport(connections=connections)


async def test_resets_among_many_requests_leave_no_place_taken(transport, peer):
    fine = peer.reply(200, b"fine")
    answers = [[peer.RESET] if n % 20 == 0 else fine for n in range(200)]
    async with peer.Peer(*answers, fine) as there:
        carrier = transport(connections=10)
        got = await asyncio.gather(
            *(carrier.send(post(there.url)) for _ in range(200)), return_exceptions=True
        )
        assert all(isinstance(each, TransportError) or each.body == b"fine" for each in got)
        async with asyncio.timeout(5):
            again = await asyncio.gather(*(carrier.send(post(there.url)) for _ in range(10)))
        assert [each.body for each in again] == [b"fine"] * 10


async def test_a_forked_child_gets_a_pool_of_its_own(transport, peer):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        carrier = transport()
        await carrier.send(post(there.url))
        child = os.fork()
        if child == 0:  # a new interpreter state: nothing of pytest may run on from here
            code = 1
            try:
                asyncio._set_running_loop(None)
                asyncio.set_event_loop(None)
                answer = asyncio.run(carrier.send(post(there.url)))
                code = 0 if answer.body == b"fine" else 2
            finally:
                os._exit(code)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await carrier.send(post(there.url))

    assert there.connections == 2


async def test_an_httpx_client_may_be_handed_in_and_stays_its_owners(peer):
    import httpx

    async with peer.Peer(peer.reply(200, b"fine")) as there, httpx.AsyncClient() as client:
        carrier = HttpxTransport(client)
        assert (await carrier.send(post(there.url))).body == b"fine"
        await carrier.aclose()
        assert not client.is_closed


async def test_a_handed_in_client_that_follows_redirects_does_not_here(peer):
    import httpx

    async with peer.Peer(b"") as elsewhere:
        location = f"location: {elsewhere.url}/x"
        async with (
            peer.Peer(peer.reply(307, b"", location)) as there,
            httpx.AsyncClient(follow_redirects=True) as client,
        ):
            answer = await HttpxTransport(client).send(post(there.url))

    assert (answer.status, elsewhere.connections) == (307, 0)


async def test_a_proxy_that_is_no_url_is_a_config_error_without_its_text():
    with pytest.raises(ConfigError, match="proxy") as caught:
        await HttpxTransport(proxy="secret://me").send(post("https://localhost:1"))

    assert "secret" not in str(caught.value)


def test_a_request_shows_neither_headers_nor_body():
    request = post("http://127.0.0.1", b"prompt", authorization="Bearer key")

    assert "key" not in repr(request)
    assert "prompt" not in repr(request)


@pytest.mark.parametrize("value", ["a\nb", "a\r\nx: y", "a\0b"])
async def test_a_header_that_http_cannot_carry_is_never_sent(transport, peer, value):
    async with peer.Peer(peer.reply(200, b"fine")) as there:
        with pytest.raises(TransportError, match="HTTP can carry") as caught:
            await transport().send(post(there.url, **{"x-y": value}))

    assert (caught.value.phase, caught.value.retryable, there.requests) == ("send", False, [])


async def test_a_proxy_that_is_not_there_is_no_connection(transport, peer, server_tls, ca_file):
    async with peer.Proxy() as gone:
        url = gone.url
    async with peer.Peer(b"", tls=server_tls) as there:
        with pytest.raises(TransportError) as caught:
            await transport(verify=ca_file, proxy=url).send(post(there.url))

    assert (caught.value.phase, caught.value.retryable) == ("connect", True)
    assert there.connections == 0


async def test_a_missing_extra_is_a_config_error_with_the_command(monkeypatch):
    import sys

    from toolstone.wire import AiohttpTransport, aiohttp_transport

    monkeypatch.setitem(sys.modules, "aiohttp", None)
    aiohttp_transport._aiohttp.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'toolstone\[fast\]'"):
        await AiohttpTransport().send(post("http://127.0.0.1:1"))


@pytest.mark.parametrize("value", [b"a\0b", b"a\r\nx: y", b"a\nb"])
def test_a_header_with_a_break_in_it_is_refused(value):
    with pytest.raises(TransportError, match="line break") as caught:
        reply_headers([(b"X-Y", value)])

    assert not caught.value.retryable


async def test_a_compressed_error_is_read_as_far_as_it_goes(transport, peer):
    answer = peer.reply(500, b"not gzip", "content-encoding: gzip")
    async with peer.Peer(answer) as there:
        got = await transport().send(post(there.url))

    assert (got.status, got.body) == (500, b"")


async def test_what_follows_the_end_of_a_compressed_body_is_not_read(transport, peer):
    body = gzip.compress(b"fine") + b"trailing" * 10_000
    async with peer.Peer(peer.reply(200, body, "content-encoding: gzip")) as there:
        assert (await transport().send(post(there.url))).body == b"fine"


async def test_a_body_may_not_grow_too_large_by_decompression(transport, peer, monkeypatch):
    monkeypatch.setattr(limits, "DECOMPRESSED_BYTES", 1000)
    fits, long = os.urandom(1000), os.urandom(1001)
    async with peer.Peer(
        peer.reply(200, gzip.compress(fits), "content-encoding: gzip"),
        peer.reply(200, gzip.compress(long), "content-encoding: gzip"),
    ) as there:
        carrier = transport()
        assert (await carrier.send(post(there.url))).body == fits
        with pytest.raises(LimitError, match=r"limits\.DECOMPRESSED_BYTES"):
            await carrier.send(post(there.url))


def test_a_module_that_httpcore_misses_is_looked_for_once():
    script = """
import asyncio, sys
asked = []

class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "sniffio":
            asked.append(name)
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Without())
from toolstone.testing.faults import faults
from toolstone import Agent, Responses

with faults() as peer:
    model = Responses(base_url=peer.base_url("H44", times=0), model="m", api_key="sk-0123456789")
    agent = Agent(model)
    for _ in range(3):
        agent.run_sync("hello")
print(len(asked))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("1\n", "")
