"""The file of a cassette: one exchange a line, written as they end, found again by the request."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError, UsageError
from toolstone.local.cassettes.compare import canonical, differences
from toolstone.local.cassettes.keep import keep_request

__all__ = ["FORMAT", "Exchange", "Recorder", "Tape", "read_exchanges"]

JSON = dict[str, Any]

FORMAT: Final = 1
"""The version of the format; a reader refuses a newer one."""

_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came of it.

    Attributes:
        request: The body, as far as it is kept.
        response: A Response object as far as it is kept, or `{"status": 429, "error": {...}}`.
    """

    request: JSON
    response: JSON

    def line(self) -> bytes:
        """Give the line of the file: keys sorted, so that a new recording differs where it does."""
        said = {"v": FORMAT, "request": self.request, "response": self.response}
        text = json.dumps(said, ensure_ascii=False, sort_keys=True)
        return text.encode("utf-8", "surrogatepass") + b"\n"


def read_exchanges(path: str | Path) -> list[Exchange]:
    """Read a cassette.

    Raises:
        ConfigError: It cannot be read, or a line of it is no exchange that this version knows.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"cannot read the cassette {str(path)!r}: {error.strerror}") from error
    return [_exchange(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]


def _exchange(line: bytes, place: str) -> Exchange:
    try:
        read = json.loads(line.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ConfigError(f"{place}: not JSON; a cassette has one exchange a line") from error
    version = read.get("v") if isinstance(read, dict) else None
    if type(version) is int and version > FORMAT:
        raise ConfigError(
            f"{place}: format {version}; this toolstone reads up to {FORMAT}: upgrade it"
        )
    if version is None or not all(isinstance(read.get(k), dict) for k in ("request", "response")):
        raise ConfigError(f"{place}: an exchange is {{v, request, response}}, and this is not")
    return Exchange(read["request"], read["response"])


class Recorder:
    """Appends exchanges to a file, each with one write, so that several processes may.

    Args:
        path: The file; its folder is made if need be.
        anew: Begin with an empty file.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(self, path: str | Path, *, anew: bool = False) -> None:
        self.path = Path(path)
        self._open(os.O_TRUNC if anew else 0)

    def keep(self, exchange: Exchange) -> None:
        """Keep an exchange.

        Raises:
            ConfigError: The file cannot be written.
        """
        self._open(0, exchange.line())

    def _open(self, flags: int, line: bytes = b"") -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags, 0o666)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except OSError as error:
            raise ConfigError(
                f"cannot write the cassette {str(self.path)!r}: {error.strerror}"
            ) from error


class Tape:
    """The exchanges of a cassette, given out by request; equal requests in the order recorded.

    Args:
        exchanges: What was recorded.
        name: The cassette's name, for messages.
        again: Whether a request that is asked more often than it was recorded gets the last answer
            again, instead of an error.
    """

    def __init__(self, exchanges: Sequence[Exchange], name: str, *, again: bool = False) -> None:
        self._recorded = [(canonical(each.request), each) for each in exchanges]
        self._name = name
        self._again = again
        self._given: set[int] = set()
        self._asked = 0

    @property
    def left(self) -> int:
        """How many exchanges nobody has asked for yet."""
        return len(self._recorded) - len(self._given)

    def find(self, body: Mapping[str, Any]) -> JSON:
        """Give the response that was recorded for a request.

        Raises:
            UsageError: There is none; it says where the nearest recorded request differs.
        """
        self._asked += 1
        asked = canonical(keep_request(body))
        equal = [n for n, (request, _) in enumerate(self._recorded) if request == asked]
        fresh = [n for n in equal if n not in self._given]
        if not fresh and not (equal and self._again):
            raise UsageError(self._unmatched(asked, len(equal)))
        found = fresh[0] if fresh else equal[-1]
        self._given.add(found)
        return self._recorded[found][1].response

    def _unmatched(self, asked: JSON, equal: int) -> str:
        start = f"request {self._asked} is not in the cassette {self._name!r}"
        then = "record it anew if the change is meant"
        if equal:
            return f"{start} so often: it was recorded {equal} times; {then}"
        if not self._recorded:
            return f"{start}, which is empty; {then}"
        places = [n for n in range(len(self._recorded)) if n not in self._given]
        found = {n: differences(self._recorded[n][0], asked) for n in places or [-1]}
        nearest = min(found, key=lambda n: len(found[n]))
        where = found[nearest]
        more = f"; and {len(where) - _SHOWN} more" if len(where) > _SHOWN else ""
        line = nearest % len(self._recorded) + 1
        return (
            f"{start}; the nearest one left is exchange {line}, but: "
            f"{'; '.join(where[:_SHOWN])}{more}; {then}"
        )
