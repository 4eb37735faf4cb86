"""A brain is put behind an address: in a thread, as all that this process does, or in several."""

import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from os import PathLike
from typing import TYPE_CHECKING

from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError
from toolstone.local.brain import Brain

if TYPE_CHECKING:
    from toolstone.local.process import Server
    from toolstone.local.profiles import HostProfile
    from toolstone.local.profiles.observed import Kind
    from toolstone.local.store import Store

__all__ = ["Served", "run", "serve"]

_SILENT = "the endpoint did not start; the logger 'uvicorn.error' says why"

_PORTS = 65535
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  of every address, one that works here

Ready = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Served:
    """Where an endpoint answers."""

    base_url: str
    """Ends in `/v1` (`/openai/v1` as runtime); what a client takes as its base URL.

    It works on this machine: with `0.0.0.0` or `::` it is loopback, and others put a name here.
    """


@contextmanager
def serve(
    brain: Brain,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    profile: "HostProfile | Kind | None" = None,
    api_key: str | None = None,
    store: "Store | str | PathLike[str] | None" = None,
) -> Iterator[Served]:
    """Serve a brain from a thread of this process until the block is left.

    Args:
        brain: What answers; it is closed at the end.
        host: A loopback address; any other needs an `api_key`.
        port: 0 takes a free one.
        profile: Behave as `mantle`, `runtime` or `openai` does, or as a `HostProfile` says in full.
        api_key: What clients must send as `Authorization: Bearer KEY`.
        store: Where responses are kept: an SQLite file, or a `Store`, closed at the end. In
            memory if not given.

    Raises:
        ConfigError: The extra is missing, the address cannot be used, or is open to others
            without a key.

    Example:
        with serve(Script(["hello"])) as endpoint:
            client = OpenAI(base_url=endpoint.base_url, api_key="none")
    """
    plan = _Plan(lambda: brain, host, _profile(profile), api_key, store)
    server = plan.server()
    ready = threading.Event()

    def work() -> None:
        try:
            server.serve_until_told(listener, ready.set)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="toolstone-local")
    with _listen(host, port) as listener:
        thread.start()
        ready.wait()
        try:
            if not server.started:
                raise ConfigError(_SILENT)
            yield Served(plan.base_url(listener))
        finally:
            server.should_exit = True
            thread.join()


def run(
    brain: Brain | Callable[[], Brain],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    profile: "HostProfile | Kind | None" = None,
    api_key: str | None = None,
    store: "Store | str | PathLike[str] | None" = None,
    workers: int = 1,
    ready: Ready | None = None,
) -> None:
    """Serve a brain from this thread until a signal (Ctrl-C, SIGTERM) or `ready`'s stop ends it.

    Args:
        brain: What answers, or a function that makes it; it is closed at the end.
        host: As in `serve`.
        port: 0 takes a free one.
        profile: As in `serve`.
        api_key: As in `serve`.
        store: As in `serve`; several workers need a file that they share.
        workers: Processes that answer, on one address. With more than one, `brain` is a function
            that each calls, of a module that can be imported; started from a script, that script
            needs `if __name__ == "__main__":`.
        ready: Called once it answers, with the base URL and a function that stops it, which may
            be called from any thread.

    Raises:
        ConfigError: As in `serve`, or the brain or the store cannot be shared by workers.
    """
    make = brain if callable(brain) else lambda: brain
    plan = _Plan(make, host, _profile(profile), api_key, store)
    if workers > 1:
        _check_shared(brain, plan)
        from toolstone.local.workers import serve_by_workers  # noqa: PLC0415  only for several

        def started_all(stop: Callable[[], None]) -> None:
            if ready is not None:
                ready(plan.base_url(listener), stop)

        with _listen(host, port) as listener:
            serve_by_workers(plan.server, listener, workers, started_all)
        return
    server = plan.server()

    def stop() -> None:
        server.should_exit = True

    def started() -> None:
        if ready is not None and server.started:
            ready(plan.base_url(listener), stop)

    with _listen(host, port) as listener:
        server.serve_until_told(listener, started)
    if not server.started:
        raise ConfigError(_SILENT)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be served, and to whom."""

    make: Callable[[], Brain]
    host: str
    profile: "HostProfile | None"
    api_key: str | None = field(repr=False)
    store: "Store | str | PathLike[str] | None"

    def __post_init__(self) -> None:
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.strip()):
            raise ConfigError("the api_key is empty, or holds letters no header can; use others")
        if self.profile is not None and (self.api_key is not None or self.store is not None):
            raise ConfigError("a profile has keys and a memory of its own; leave api_key and store")
        if not _is_loopback(self.host) and self.api_key is None:
            raise ConfigError(
                f"host {self.host!r} is not a loopback address: others can reach it; give an "
                "api_key (toolstone serve: TOOLSTONE_API_KEY, or --api-key), or take 127.0.0.1, "
                "::1 or localhost, which stay on this machine"
            )

    def server(self) -> "Server":
        """Make the server, in the process that serves."""
        try:
            from toolstone.local.gate import LOOPBACK, Gate  # noqa: PLC0415  it needs the extra
            from toolstone.local.process import Server  # noqa: PLC0415  the same

            if self.profile is not None:
                from toolstone.local.profiles.host import make_profile_app  # noqa: PLC0415  the same

                played = make_profile_app(self.make(), self.profile)
                return Server(played, played, date_header=False)  # it has a clock of its own
            from toolstone.local.app import make_app  # noqa: PLC0415  the same
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"the local endpoint needs {error.name!r}; run: pip install 'toolstone[local]'"
            ) from error
        app = make_app(self.make(), self.store)
        hosts = LOOPBACK if _is_loopback(self.host) else None  # a key is asked for elsewhere
        return Server(Gate(app, hosts=hosts, api_key=self.api_key), app, date_header=True)

    def base_url(self, listener: socket.socket) -> str:
        """Give the address that clients on this machine take."""
        host, port = listener.getsockname()[:2]
        host = _HERE.get(host, host)
        prefix = "/openai/v1" if self.profile and self.profile.kind == "runtime" else "/v1"
        return f"http://[{host}]:{port}{prefix}" if ":" in host else f"http://{host}:{port}{prefix}"


def _profile(profile: "HostProfile | Kind | None") -> "HostProfile | None":
    if not isinstance(profile, str):
        return profile
    from toolstone.local.profiles import HostProfile  # noqa: PLC0415  only for who plays a host

    return HostProfile(profile)


def _check_shared(brain: Brain | Callable[[], Brain], plan: _Plan) -> None:
    if not callable(brain):
        raise ConfigError(
            f"several workers cannot share one {type(brain).__name__}; give a function that makes "
            "it, such as functools.partial(Script.load, 'FILE.toml')"
        )
    if plan.profile is not None:
        raise ConfigError("a profile remembers its account in one process; leave workers at 1")
    if not isinstance(plan.store, str | PathLike):
        raise ConfigError("several workers need one store they share; give store='FILE.db'")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _PORTS:
        raise ConfigError(f"there is no port {port}; give 1 to {_PORTS}, or 0 for a free one")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(found[4][:2], family=found[0], backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"cannot listen on {host}:{port}: port {port} is taken; choose another, "
                "or 0 for a free one (--port 0)"
            ) from None
        raise ConfigError(f"cannot listen on {host}:{port}: {error}") from error
