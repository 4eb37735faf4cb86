"""A brain that says what a script tells it to, for tests, examples and drills."""

import json
import tomllib
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from toolstone import limits
from toolstone.errors import ConfigError
from toolstone.local.brain import Item, Piece, RefusalError, Turn, Usage
from toolstone.local.brains.answers import (
    CHUNK,
    Answer,
    Part,
    Say,
    Scripted,
    Typed,
    message,
    recite,
    refusal,
    thought,
    whole_answer,
)

__all__ = ["Script", "model_turns"]

By = Literal["question", "conversation", "sequence"]

_OWN_ITEMS = frozenset(
    {
        *("function_call_output", "custom_tool_call_output", "computer_call_output"),
        *("local_shell_call_output", "shell_call_output", "apply_patch_call_output"),
        "mcp_approval_response",
    }
)
"""What a client answers calls with; every other item that is no message comes from the model."""


class Script:
    """Answers from a list.

    Which answer comes is read from the conversation itself, so that runs side by side do not
    disturb each other:

    - `by="question"`: the n-th answer for the n-th turn since the last user message; the script
      starts anew with each question.
    - `by="conversation"`: the n-th answer for the n-th turn of the whole conversation. Take this
      when the client asks again with a user message of its own.
    - `by="sequence"`: the n-th answer for the n-th request, whoever asks. Take this for answers
      that leave no trace in the conversation: `error`, `failed`, `empty`.

    Args:
        answers: Text, `call(...)`, a dict for JSON, `message(...)`, `thought(...)`,
            `custom(...)`, `refusal(...)`, `item(...)`, a list of these for several in one turn, or
            `answer(...)`, `incomplete(...)`, `failed(...)`, `empty()`, `error(...)`.
        by: How the answer is chosen.

    Attributes:
        turns: The latest turns it was asked, oldest first.

    Example:
        Script([[call("weather", city="Paris"), call("population", city="Paris")], "done"])

    Raises:
        ConfigError: An answer is nothing a script can say.
    """

    models: Sequence[str] = ()
    hosted: Sequence[str] = ("*",)  # whatever a tool of the service would say can be scripted

    def __init__(self, answers: Sequence[Say], *, by: By = "question") -> None:
        self._answers = [whole_answer(said) for said in answers]
        self._by = by
        self.turns: deque[Turn] = deque(maxlen=limits.LOCAL_TURNS_KEPT)
        self._asked = 0

    @classmethod
    def load(cls, path: str | Path) -> "Script":
        """Read a script from a TOML file: `by`, and one `[[answer]]` table for each answer.

        An answer holds any of `thought`, `summary` (a text, or a list of them), `text` (with
        `phase`, `annotations`, `logprob`), `json`, `refusal`, `calls` (each with `name`,
        `arguments` and perhaps `call_id`), `customs` (each with `name`, `input` and perhaps
        `call_id`), `items` (each as the wire has it), said in this order; `delay`, `pause`,
        `chunk`, `usage`; and one of `incomplete = "REASON"`, `failed = {code, message}`,
        `error = {status, code, message}`.

        Raises:
            ConfigError: The file is missing, is not TOML, or holds something else.
        """
        try:
            written = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the script {str(path)!r}: {error}") from error
        tables = written.get("answer", [])
        if unknown := sorted(written.keys() - {"by", "answer"}):
            raise ConfigError(f"{path}: unknown {unknown}; a script holds 'by' and [[answer]]")
        return cls([_from_table(table, n) for n, table in enumerate(tables)], by=_by(written))

    async def answer(self, turn: Turn) -> AsyncIterator[Piece]:
        """Say the answer whose turn it is."""
        self.turns.append(turn)
        index = self._asked if self._by == "sequence" else model_turns(turn.items, by=self._by)
        self._asked += 1
        if index >= len(self._answers):
            raise RefusalError(
                400,
                "script_exhausted",
                f"the script holds {len(self._answers)} answers; "
                f"this is turn {index + 1}, counted by {self._by}",
            )
        async for piece in recite(self._answers[index], turn):
            yield piece

    async def close(self) -> None:
        """Hold nothing, so let go of nothing."""


def model_turns(items: Sequence[Mapping[str, Any]], *, by: By = "question") -> int:
    """Count the answers of the model in a conversation.

    What the model said without anything from the other side in between is one answer.
    """
    turns = 0
    speaking = False
    for item in items:
        if item["type"] == "message" and item["role"] == "user" and by == "question":
            turns = 0
        said = _by_model(item)
        turns += said and not speaking
        speaking = said
    return turns


def _by_model(item: Mapping[str, Any]) -> bool:
    if item["type"] == "message":
        return bool(item["role"] == "assistant")
    return item["type"] not in _OWN_ITEMS


def _by(written: Mapping[str, Any]) -> By:
    by: By = written.get("by", "question")
    if by not in ("question", "conversation", "sequence"):
        raise ConfigError(f"by = {by!r}: a script goes by question, conversation or sequence")
    return by


_KEYS = {
    *("thought", "summary", "text", "phase", "annotations", "logprob", "json", "refusal"),
    *("calls", "customs", "items", "delay", "pause", "chunk", "usage"),
    *("incomplete", "failed", "error"),
}


def _from_table(table: Mapping[str, Any], index: int) -> Answer:
    if unknown := sorted(table.keys() - _KEYS):
        raise ConfigError(f"answer {index}: unknown {unknown}; known are {sorted(_KEYS)}")
    try:
        return _spelled(table)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"answer {index}: {type(error).__name__} at {error}") from error


def _spelled(table: Mapping[str, Any]) -> Answer:
    usage = Usage(**table["usage"]) if "usage" in table else None
    status: Literal["completed", "incomplete", "failed"] = "completed"
    if "incomplete" in table:
        status = "incomplete"
    elif "failed" in table:
        status = "failed"
    refused = table.get("error")
    return Answer(
        tuple(_parts(table)),
        status,
        reason=table.get("incomplete"),
        fault=table.get("failed"),
        refused=RefusalError(**{"code": None, "message": "", **refused}) if refused else None,
        usage=usage,
        delay=float(table.get("delay", 0)),
        pause=float(table.get("pause", 0)),
        chunk=int(table.get("chunk", CHUNK)),
    )


def _parts(table: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    if "thought" in table or "summary" in table:
        parts.append(thought(table.get("thought", ""), summary=table.get("summary", ())))
    beside = {key: table[key] for key in ("phase", "annotations", "logprob") if key in table}
    if "text" in table or beside:
        parts.append(message(table["text"], **beside) if beside else table["text"])
    if "json" in table:
        parts.append(table["json"])
    if "refusal" in table:
        parts.append(refusal(table["refusal"]))
    parts += [_call(each) for each in table.get("calls", ())]
    parts += [Typed(c["name"], c["input"], c.get("call_id")) for c in table.get("customs", ())]
    return parts + [Item(each) for each in table.get("items", ())]


def _call(each: Mapping[str, Any]) -> Scripted:
    arguments = each.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return Scripted(each["name"], text, each.get("call_id"))
