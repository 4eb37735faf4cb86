"""The peer: plain sockets, a thread for each connection, and nothing shared with the client."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from toolstone.errors import ConfigError
from toolstone.testing.faults.connection import Connection, Met
from toolstone.testing.faults.desk import Desk

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Faults"]

_STOP_SECONDS: Final = 5.0


class Faults:
    """A Responses endpoint on loopback that fails in the way its base URL names.

    Args:
        host: A loopback address; `::1` for IPv6.
        port: 0 takes a free one.
        pace: How many real seconds a second of a scenario lasts.
        tls: Speak TLS with this server context.
        log: Told of each request when it has been read.

    Attributes:
        met: Every request, in the order they came.
        connections: How many were opened.

    Raises:
        ConfigError: The address cannot be used, or is not a loopback address.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: float = 0.01,
        tls: ssl.SSLContext | None = None,
        log: Callable[[Met], None] | None = None,
    ) -> None:
        self.met: list[Met] = []
        self.connections = 0
        self._pace, self._tls, self._log = pace, tls, log
        self._desk = Desk()
        self._gate = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = _bound(host, port)
        self._elsewhere = _bound(host, 0)
        self._deaf = _bound(host, 0)

    # --------------------------------------------------------------------------- the outside

    def start(self) -> Self:
        """Begin to listen."""
        self._listener.listen(1024)
        self._elsewhere.listen(16)
        self._elsewhere.setblocking(False)  # noqa: FBT003  as the standard library has it
        self._spawn(self._accept)
        return self

    def stop(self) -> None:
        """Close everything and wait for the threads."""
        self._stopping.set()
        self._gate.set()
        with suppress(OSError), socket.create_connection(_address(self._listener)):
            pass  # wakes the thread that accepts
        with self._lock:
            still = list(self._open)
        for sock in still:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_STOP_SECONDS)
        for one in (self._listener, self._elsewhere, self._deaf):
            one.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._origin(self._listener)

    @property
    def strayed(self) -> int:
        """Connections, since the last look, to the origin that redirects point to."""
        found = 0
        with suppress(BlockingIOError):
            while True:
                self._elsewhere.accept()[0].close()
                found += 1
        return found

    def base_url(self, scenario: str, *, times: int | None = None) -> str:
        """Where a scenario is met, with a count of its own.

        Args:
            scenario: Its name, such as `H07`.
            times: So many requests meet the fault, the others a good answer; None: all meet it.

        Raises:
            InputError: There is no such scenario.
        """
        word = self._desk.label(scenario, times)
        there = self._origin(self._deaf) if scenario == "H01" else self.origin
        return f"{there}/{word}/v1"

    def release(self) -> None:
        """Let the scenarios go on that wait until what they sent has been seen."""
        self._gate.set()

    def _origin(self, listener: socket.socket) -> str:
        host, port = _address(listener)
        if self._tls is not None:
            return f"https://localhost:{port}"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    # -------------------------------------------------------------------------- connections

    def _spawn(self, run: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=run, args=given, name="toolstone-faults", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopping.is_set():
                sock.close()
                return
            self.connections += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with self._lock:
                self._open.add(sock)
            there = self._origin(self._elsewhere)
            connection = Connection(sock, self._desk, self._note, self._wait, self._gate, there)
            connection.serve(peek=self._tls is None)
        except OSError:
            pass  # the client has gone, or does not trust our certificate
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _note(self, met: Met) -> None:
        self.met.append(met)
        if self._log is not None:
            self._log(met)

    def _wait(self, seconds: float) -> bool:
        return self._stopping.wait(seconds * self._pace)


def _bound(host: str, port: int) -> socket.socket:
    if host != "::1" and not host.startswith("127."):
        raise ConfigError(
            f"the fault peer cannot listen on {host!r}: it asks nobody who they are; "
            "give a loopback address, such as 127.0.0.1"
        )
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"the fault peer cannot listen on {host!r} port {port}: {error.strerror}; "
            "give a free port"
        ) from error
    return sock


def _address(listener: socket.socket) -> tuple[str, int]:
    found = listener.getsockname()
    return found[0], found[1]
