"""A brain is put behind a loopback address: in a thread, or as all that this process does."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolstone.errors import ConfigError
from toolstone.local.brain import Brain

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Server

    from toolstone.local.profiles import HostProfile
    from toolstone.local.profiles.observed import Kind

__all__ = ["Served", "run", "serve"]

_SILENT = "the endpoint did not start; the logger 'uvicorn.error' says why"


@dataclass(frozen=True, slots=True)
class Served:
    """Where an endpoint answers."""

    base_url: str
    """Ends in `/v1` (`/openai/v1` as runtime); what a client takes as its base URL."""


@contextmanager
def serve(
    brain: Brain,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    profile: "HostProfile | Kind | None" = None,
) -> Iterator[Served]:
    """Serve a brain from a thread of this process until the block is left.

    Args:
        brain: What answers; it is closed at the end.
        host: A loopback address; the endpoint has no keys, so it stays on this machine.
        port: 0 takes a free one.
        profile: Behave as `mantle`, `runtime` or `openai` does, or as a `HostProfile` says in full.

    Raises:
        ConfigError: The extra is missing, or the address cannot be used.

    Example:
        with serve(Script(["hello"])) as endpoint:
            client = OpenAI(base_url=endpoint.base_url, api_key="none")
    """
    played = _profile(profile)
    server, listener = _prepare(brain, host, port, played)
    ready = threading.Event()
    thread = threading.Thread(
        target=_serve_until_told, args=(server, listener, ready), name="toolstone-local"
    )
    with listener:
        thread.start()
        ready.wait()
        try:
            if not server.started:
                raise ConfigError(_SILENT)
            yield Served(_base_url(listener, played))
        finally:
            server.should_exit = True
            thread.join()


def run(
    brain: Brain,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    profile: "HostProfile | Kind | None" = None,
    ready: Callable[[str, Callable[[], None]], None] | None = None,
) -> None:
    """Serve a brain from this thread until a signal (Ctrl-C, SIGTERM) or `ready`'s stop ends it.

    Args:
        brain: What answers; it is closed at the end.
        host: A loopback address.
        port: 0 takes a free one.
        profile: As in `serve`.
        ready: Called once it answers, with the base URL and a function that stops it, which may
            be called from any thread.

    Raises:
        ConfigError: The extra is missing, or the address cannot be used.
    """
    played = _profile(profile)
    server, listener = _prepare(brain, host, port, played)

    def stop() -> None:
        server.should_exit = True

    def started() -> None:
        if ready is not None and server.started:
            ready(_base_url(listener, played), stop)

    with listener:
        asyncio.run(_serving(server, listener, started))
    if not server.started:
        raise ConfigError(_SILENT)


def _profile(profile: "HostProfile | Kind | None") -> "HostProfile | None":
    if not isinstance(profile, str):
        return profile
    from toolstone.local.profiles import HostProfile  # noqa: PLC0415  only for who plays a host

    return HostProfile(profile)


def _application(brain: Brain, profile: "HostProfile | None") -> "Starlette":
    if profile is None:
        from toolstone.local.app import make_app  # noqa: PLC0415  it needs the extra

        return make_app(brain)
    from toolstone.local.profiles.host import make_profile_app  # noqa: PLC0415  it needs the extra

    return make_profile_app(brain, profile)


def _prepare(
    brain: Brain, host: str, port: int, profile: "HostProfile | None"
) -> "tuple[Server, socket.socket]":
    _check_loopback(host)
    try:
        import uvicorn  # noqa: PLC0415  an extra, loaded at first use

        application = _application(brain, profile)
    except ImportError as error:
        raise ConfigError(
            f"the local endpoint needs {error.name!r}; run: pip install 'toolstone[local]'"
        ) from error
    config = uvicorn.Config(
        application,
        date_header=profile is None,  # a profile has a clock of its own
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config), _listen(host, port)


def _check_loopback(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"host {host!r} is not a loopback address; the endpoint has no keys, "
            "so it answers on 127.0.0.1, ::1 or localhost only"
        )


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(found[4][:2], family=found[0])
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error}") from error


def _base_url(listener: socket.socket, profile: "HostProfile | None") -> str:
    host, port = listener.getsockname()[:2]
    prefix = "/openai/v1" if profile and profile.kind == "runtime" else "/v1"
    return f"http://[{host}]:{port}{prefix}" if ":" in host else f"http://{host}:{port}{prefix}"


def _serve_until_told(server: "Server", listener: socket.socket, ready: threading.Event) -> None:
    try:
        asyncio.run(_serving(server, listener, ready.set))
    finally:
        ready.set()


async def _serving(server: "Server", listener: socket.socket, started: Callable[[], None]) -> None:
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not (server.started or task.done()):  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.002)
    started()
    await task
