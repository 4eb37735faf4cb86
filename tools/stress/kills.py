"""kill -9 while an agent pays: what is paid twice, what is lost, what cannot be gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stress.peer import STEPS

if TYPE_CHECKING:
    from stress.peers import Driver
    from stress.run import Faulty

_SECONDS: Final = 20.0
"""For one kill, at most."""


def kill(driver: Driver, faulty: Faulty, count: int, seed: int) -> dict[str, Any]:
    """Kill so many children at random instants, go on in others, and count.

    Args:
        driver: Of the toolkit.
        faulty: The peer, which asks for one payment after the other.
        count: How many kills.
        seed: Of the instants.
    """
    driver.kill()  # a fresh one: what is forked should have no threads
    wanted = {
        "do": "kill",
        "base_url": faulty.base_url(faulty.word("P04")),
        "kills": count,
        "seed": seed,
        "steps": STEPS,
    }
    return driver.ask(wanted, _SECONDS * count)


def say(found: dict[str, Any]) -> tuple[str, str]:
    """Right, wrong, or that there is nothing to measure; and the counts."""
    if found.get("ended") in {"hung", "died"}:
        return "not measured", f"its forked children {found['ended']}"
    if not found.get("keeps"):
        return "not measured", "keeps nothing by itself"
    bad = found["doubled"] or found["lost"] or found["broken"]
    told = (
        f"{found['kills']} kills with {found['keeps']}: {found['doubled']} doubled a payment, "
        f"{found['lost']} lost one, {found['broken']} could not be gone on with, "
        f"{found['named']} named what is unknown"
    )
    return ("wrong" if bad else "right"), told
