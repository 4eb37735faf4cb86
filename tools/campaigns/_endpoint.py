"""The local endpoint of the campaigns: which script it plays stands in the first question."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from toolstone.local import Function, call, custom
from toolstone.local.brains.script import model_turns
from toolstone.local.server import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.local import Turn

SCRIPTS: Final[dict[str, list[Any]]] = {
    "plain": [call("book", seats=1), call("book", seats=2), "done"],
    "many": [*[call("book", seats=n) for n in range(6)], "done"],
    "side by side": [[call("book", seats=n) for n in range(3)], "done"],
    "threads": [[call("sit", seats=n) for n in range(2)], "done"],
    "mixed": [[call("book", seats=1), call("sit", seats=2), call("count", seats=3)], "done"],
    "nested": [call("helper", request="side by side"), "done"],
    "again": [[call("count", seats=1), call("count", seats=2)], "done"],
    "shaped": ["no JSON at all", '{"seats": 1}'],
    "approval": [[call("pay", seats=1), call("fetch", seats=2)], "done"],
    "free text": [custom("note", "one line"), "done"],
    "slow tool": [[call("never", seats=1), call("book", seats=2)], "done"],
    "stop": [call("stop", seats=1), "done"],
    "stubborn": [[call("stubborn", seats=1), call("book", seats=2)], "done"],
    "text": ["It is 21 degrees in Paris, and the sun shines on the river. " * 3],
}
"""What is said, one answer a turn."""


async def say(turn: Turn) -> Any:
    """The next answer of the script that the conversation began with."""
    said = [item for item in turn.items if item["type"] == "message" and item["role"] == "user"]
    name = _text(said[0])
    answers = SCRIPTS[name]
    await asyncio.sleep(0)
    return answers[min(model_turns(turn.items, by="conversation"), len(answers) - 1)]


def _text(item: Any) -> str:
    content = item["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


def _tell(base_url: str, stop: Callable[[], None]) -> None:
    sys.stdout.write(json.dumps({"base_url": base_url}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()


def _watch(stop: Callable[[], None]) -> None:
    """The parent is gone, however it went."""
    while os.read(0, 4096):
        pass
    stop()


if __name__ == "__main__":
    run(Function(say), ready=_tell)
