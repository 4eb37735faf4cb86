"""The engine of a cluster: Ray Data's actors do the asking, the local engine does all the rest.

Documents, identical ones, the job's file, order and give-out are `run_local`'s, here in the process
that wants the records: so records and the rule of restarting are the same. Only `ask` goes through
the cluster. A dataset of shifts is streamed to a pool of actors, each of which has one client and
draws documents from the `Desk`, which Ray runs beside this process. Ray Data starts the actors anew
when they die, and has their shifts worked again.

Ray's own checkpoints are not used: they are written by datasets that end in files, once for a whole
block, and a plan of ours ends here.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.errors import ConfigError, DefinitionError, SetupError
from toolstone.extract.cluster.desk import Desk
from toolstone.extract.cluster.worker import Worker
from toolstone.extract.local import run_local
from toolstone.extract.pace import Pace
from toolstone.extract.records import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from toolstone.extract.job import Job
    from toolstone.extract.plan import Plan
    from toolstone.extract.records import Document

__all__ = ["run_ray"]

_LOOPBACK: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""If it is 0 when Ray is imported, a Ray that is started here listens on 127.0.0.1 alone. No
argument of `ray.init` does that (2.60: with `_node_ip_address` it still listens everywhere)."""
_STATISTICS: Final = "RAY_USAGE_STATS_ENABLED"
_LEAVING: Final = 30.0  # seconds for the actors to go


async def run_ray(
    plan: Plan[Any],
    documents: AsyncIterator[Document | Record[Any]],
    *,
    pace: Pace | None = None,
    job: str | Path | Job | None = None,
    concurrency: int = limits.EXTRACT_CONCURRENCY,
    ordered: bool = False,
) -> AsyncGenerator[Record[Any], None]:
    """`run_local`, asking through a Ray cluster; see there.

    The cluster is the one this process has joined with `ray.init`, else the one that `RAY_ADDRESS`
    names, else one on this machine, for this job alone: for two at once, join one yourself. Each of
    its cores has an actor; while others have all of them, the job waits. It needs toolstone, the
    type's module, and what the model string needs: keys are looked for where the actors are, and
    never sent. A budget of seconds lets what is being asked come to its end.

    Raises:
        ConfigError: The extra is not installed.
        DefinitionError: The model or the type cannot be sent to another process.
        SetupError: The cluster gave the job up.
        ToolstoneError: What ends the job, once everything that is finished was given out.
    """
    cluster = _Cluster(plan, pace or Pace(), concurrency)
    try:
        await cluster.open()
        records = run_local(
            plan, documents, job=job, concurrency=concurrency, ordered=ordered, ask=cluster.ask
        )
        async with aclosing(records):
            async for record in records:
                yield record
    finally:
        await cluster.aclose()


class _Cluster:
    """A cluster that reads documents, seen from the process that has them."""

    def __init__(self, plan: Plan[Any], pace: Pace, concurrency: int) -> None:
        self._plan = plan
        self._pace = pace
        self._concurrency = concurrency
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._unsent: list[tuple[int, Document]] = []
        self._sending: asyncio.Task[None] | None = None
        self._taking: asyncio.Task[None] | None = None
        self._working: threading.Thread | None = None
        self._error: Exception | None = None
        self._ray: Any = None
        self._desk: Any = None
        self._joining: asyncio.Task[None] | None = None
        self._joined = False
        self._charged = False

    async def open(self) -> None:
        """Join or start the cluster, and have the actors begin."""
        loop = asyncio.get_running_loop()
        self._joining = asyncio.create_task(asyncio.to_thread(self._join))
        await asyncio.shield(self._joining)  # half a cluster could not be left
        self._taking = asyncio.create_task(self._take())
        self._working = threading.Thread(
            target=self._work, args=(loop,), name="toolstone-ray", daemon=True
        )
        self._working.start()

    async def ask(self, plan: Plan[Any], document: Document) -> Record[Any]:
        """Have a document read somewhere; see `toolstone.extract.asking.ask`."""
        if self._error is not None:
            raise self._error
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._unsent.append((number, document))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        try:
            return Record.from_row(await answer, plan.type)
        finally:
            del self._waiting[number]

    async def aclose(self) -> None:
        """Give up what is being asked, and leave the cluster as it was found."""
        for task in (self._sending, self._taking):
            if task is not None:
                task.cancel()
        if self._joining is not None:
            await asyncio.wait({self._joining})
        if self._ray is not None:
            await asyncio.to_thread(self._leave)

    # ------------------------------------------------------------------------------ to and from Ray

    async def _send(self) -> None:
        try:
            plan, till = self._plan, self._plan.till
            if till is not None and not self._charged:
                self._charged = True
                await self._desk.spend.remote(plan.budget, plan.model_name, till.spent)
            while self._unsent:
                documents, self._unsent = self._unsent, []
                await self._desk.add.remote(documents)
        except Exception as error:  # noqa: BLE001  told to whoever waits
            self._fail(error)
        finally:
            self._sending = None

    async def _take(self) -> None:
        try:
            while True:
                for number, answer in await self._desk.take.remote():
                    self._answer(number, answer)
        except Exception as error:  # noqa: BLE001  told to whoever waits
            self._fail(error)

    def _answer(self, number: int | None, answer: Any) -> None:
        if number is None:  # of no document, but of all
            self._error = self._error or answer
            self._fail(answer)
            return
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _fail(self, error: Exception | None) -> None:
        """The cluster is of no more use: tell all who wait, and all who come."""
        if self._error is None:
            what = "ended it early" if error is None else f"failed with {type(error).__name__}"
            self._error = SetupError(
                f"the Ray cluster {what}; its own logs say more. What is answered is kept, if the "
                "job has a file: run it again"
            )
            self._error.__cause__ = error
        for number in list(self._waiting):
            self._answer(number, self._error)

    # -------------------------------------------------------------------------------- in a thread

    def _join(self) -> None:
        self._ray, self._joined = _joined()
        ray, plan = self._ray, self._plan
        self._workers = max(1, min(int(ray.cluster_resources().get("CPU", 1)), self._concurrency))
        self._told = {**plan.as_data(), "budget": None}  # which is kept to at the desk
        try:
            ray.cloudpickle.dumps(self._told)
        except Exception as error:
            raise DefinitionError(
                f"the model {plan.model_name!r} or the type cannot be sent to another process "
                f"({type(error).__name__}): give the model as a string, such as 'bedrock/...', and "
                "a type that a module has"
            ) from error
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        made = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here)
        self._desk = made.remote(self._pace, most=self._concurrency, shifts=2 * self._workers)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        error = None
        try:
            for _ in self._shifts().iter_batches(batch_size=None, prefetch_batches=0):
                pass
        except Exception as problem:  # noqa: BLE001  told to whoever waits
            error = _without_frames(problem)
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._fail, error)

    def _shifts(self) -> Any:
        data = self._ray.data
        places = -(-self._concurrency // self._workers)
        counts = self._pace.tokens_per_minute is not None
        shifts = data.from_items([{"shift": 0}]).flat_map(
            _shifts, fn_args=(self._desk,), num_cpus=0
        )
        worked = shifts.map_batches(
            Worker,
            fn_constructor_args=(self._told, self._desk, places),
            fn_constructor_kwargs={
                "counts_tokens": counts,
                "charged": self._plan.till is not None,
            },
            batch_size=1,
            num_cpus=1,
            compute=data.ActorPoolStrategy(
                size=self._workers,
                max_tasks_in_flight_per_actor=2,
                max_concurrent_calls_per_actor=2,
            ),
        )
        worked.context.enable_progress_bars = False
        worked.context.target_max_block_size = 1  # a shift is handed on when it is there
        return worked

    def _leave(self) -> None:
        ray = self._ray
        if self._desk is not None:
            self._desk.end.remote()
            if self._working is not None:
                self._working.join(_LEAVING)
            ray.kill(self._desk)
        if self._joined:
            ray.shutdown()


def _without_frames(error: Exception) -> Exception:
    """The error without its tracebacks: Ray's frames hold the actors, and these their cores."""
    found: list[BaseException | None] = [error]
    for one in found:  # grows
        if one is not None:
            one.__traceback__ = None
            found += [more for more in (one.__cause__, one.__context__) if more not in found]
    return error


def _joined() -> tuple[Any, bool]:
    """Ray, with a cluster; and whether it was joined here, so that it is left here.

    Raises:
        ConfigError: It is not installed; or was imported, so that it would not stay on loopback.
        SetupError: It does not start.
    """
    elsewhere = bool(os.environ.get("RAY_ADDRESS"))
    before = "ray" in sys.modules
    if not before and not elsewhere:
        os.environ.setdefault(_LOOPBACK, "0")
        os.environ.setdefault(_STATISTICS, "0")
    try:
        import ray  # noqa: PLC0415  an extra, and seconds to import
        import ray.data  # noqa: PLC0415
        import ray.util.scheduling_strategies  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("engine='ray' needs Ray Data: pip install 'toolstone[ray]'") from error
    if ray.is_initialized():
        return ray, False
    if before and not elsewhere and os.environ.get(_LOOPBACK) != "0":
        raise ConfigError(
            "Ray was imported, and this process has joined no cluster: call ray.init() as you want "
            "it, or set RAY_ADDRESS, or leave the import to engine='ray'"
        )
    try:
        ray.init(include_dashboard=False, log_to_driver=False)
    except Exception as error:  # Ray raises all sorts, its own and bare ones
        raise SetupError(
            f"no Ray cluster could be {'joined' if elsewhere else 'started'} "
            f"({type(error).__name__}); Ray gives itself 30 seconds to start, and has "
            "logs of it"
        ) from error
    return ray, True


# ------------------------------------------------------------------------------- where Ray runs it


def _shifts(_row: Mapping[str, Any], desk: Any) -> Iterator[dict[str, int]]:
    """Shifts, for as long as there are any. The same ones if it is begun again."""
    import ray  # noqa: PLC0415  it is there

    for shift in count():
        if not ray.get(desk.wanted.remote(shift)):
            return
        yield {"shift": shift}
