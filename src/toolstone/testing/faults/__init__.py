"""An endpoint that fails in every way of the catalogue, for tests of what your program then does.

Example:
    with faults() as peer:
        agent = Agent(f"responses+{peer.base_url('H06', times=1)}#m", tools=[book])
        assert agent.run_sync("go").output  # broken off once, and begun anew

`python -m toolstone.testing.faults` serves it to other programs.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import toolstone.testing.faults.events
import toolstone.testing.faults.framing
import toolstone.testing.faults.http
import toolstone.testing.faults.model
import toolstone.testing.faults.sse  # noqa: F401  each names its scenarios
from toolstone.testing.faults.connection import Met
from toolstone.testing.faults.peer import Faults
from toolstone.testing.faults.steps import SCENARIOS, Scenario

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

__all__ = ["SCENARIOS", "Faults", "Met", "Scenario", "faults"]


@contextmanager
def faults(
    *, host: str = "127.0.0.1", pace: float = 0.01, tls: ssl.SSLContext | None = None
) -> Iterator[Faults]:
    """Listen on a free port of loopback; see `Faults`.

    Args:
        host: A loopback address.
        pace: How many real seconds a second of a scenario lasts.
        tls: Speak TLS with this server context.
    """
    with Faults(host=host, pace=pace, tls=tls) as peer:
        yield peer
