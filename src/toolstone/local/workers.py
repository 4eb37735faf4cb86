"""Several processes on one address: a parent that starts them, replaces the dead and ends all."""

import contextlib
import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from toolstone import limits
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from toolstone.local.process import Server

__all__ = ["serve_by_workers"]

_SPAWN = multiprocessing.get_context("spawn")


def serve_by_workers(
    make: Callable[[], "Server"],
    listener: socket.socket,
    workers: int,
    ready: Callable[[Callable[[], None]], None],
) -> None:
    """Serve from so many processes until a signal (Ctrl-C, SIGTERM) or a stop ends them all.

    A worker that dies is replaced. A worker that never comes up ends all: its next would fail
    alike. Workers end when this process is gone, however it went.

    Args:
        make: Makes the server, in each worker; it can be pickled.
        listener: The listening socket they share.
        workers: How many.
        ready: Called once all answer, with a function that stops them.

    Raises:
        ConfigError: A worker did not come up; it said why on stderr.
    """
    stop = threading.Event()
    team: list[_Worker] = []
    with _signals(stop):
        try:
            team += (_Worker(make, listener) for _ in range(workers))
            for worker in team:
                worker.wait_until_up(stop)
            if not stop.is_set():
                ready(stop.set)
            while not stop.wait(0.1):
                for index, worker in enumerate(team):
                    if not worker.process.is_alive():
                        worker.pipe.close()
                        team[index] = _Worker(make, listener)
                        team[index].wait_until_up(stop)
        finally:
            _end(team)


class _Worker:
    """One process. It holds a pipe to the parent: its end tells it that the parent is gone."""

    def __init__(self, make: Callable[[], "Server"], listener: socket.socket) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(
            target=_work, args=(make, listener, theirs), name="toolstone-worker"
        )
        self.process.start()
        theirs.close()

    def wait_until_up(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if wait([self.pipe], 0.1):
                try:
                    self.pipe.recv()
                except EOFError:
                    raise ConfigError(_SILENT) from None
                return


_SILENT = "a worker of the endpoint did not start; it said why on stderr"


def _work(make: Callable[[], "Server"], listener: socket.socket, pipe: Connection) -> None:
    """Be a worker."""
    # Ctrl-C reaches the whole group; while it starts it waits for what the parent says.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = make()

    def up() -> None:
        if server.started:
            pipe.send("up")

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.serve_until_told(listener, up)


def _end(team: list[_Worker]) -> None:
    for worker in team:
        worker.pipe.close()  # read by the worker as: stop
    for worker in team:
        worker.process.join(limits.LOCAL_GRACE_SECONDS + limits.LOCAL_STOP_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM set the event; a second Ctrl-C is as it always is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        caught.append(number)
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    for number in caught:
        signal.raise_signal(number)
