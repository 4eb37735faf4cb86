"""llama.cpp in this process: how likely is a text, and what comes next under a grammar."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    import httpx

__all__ = ["Engine", "Written", "goes_round"]


@dataclass(frozen=True, slots=True)
class Written:
    """A text the model wrote, and whether it came to its end or to the cap."""

    text: str
    ended: bool


class Engine:
    """A model file, loaded. One at a time asks it; the rest wait their turn.

    It talks to the HTTP server inside the wheel, on a loopback port of its own: there a request is
    dropped by closing its connection, which a call into the library would not allow.

    Args:
        model: The GGUF file.

    Raises:
        ConfigError: The extra is missing, or the file is no model.
    """

    def __init__(self, model: Path) -> None:
        self._server = _start(model)
        self._url = str(self._server.listening_address)
        self._client: httpx.AsyncClient | None = None
        self._turn = asyncio.Lock()
        self._scores: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def likelihood(self, prompt: str, text: str) -> float:
        """Give the log-likelihood of `text` after `prompt`, from the model's own probabilities.

        The text is forced token by token through a grammar of tokens, so one request scores it.
        """
        key = (prompt, text)
        if key not in self._scores:
            tokens = await self.tokens(text)
            forced = "root ::= " + " ".join(f"<[{token}]>" for token in tokens)
            answer = await self._complete(
                prompt=prompt, grammar=forced, n_predict=len(tokens), n_probs=1
            )
            steps = answer["completion_probabilities"][: len(tokens)]
            self._remember(key, sum(step["logprob"] for step in steps))
        return self._scores[key]

    async def write(self, prompt: str, grammar: str, *, tokens: int) -> Written:
        """Write on after the prompt, as the grammar allows, at most that many tokens."""
        answer = await self._complete(prompt=prompt, grammar=grammar, n_predict=tokens)
        return Written(answer["content"], answer["stop_type"] != "limit")

    async def stream(
        self, prompt: str, grammar: str | None, *, tokens: int
    ) -> AsyncGenerator[str | Written]:
        """Write on in prose, piece by piece; last comes the whole. What goes round ends there."""
        body = {**_GREEDY, "prompt": prompt, "n_predict": tokens, "stream": True, **_PROSE}
        if grammar is not None:
            body["grammar"] = grammar
        text = ""
        client = self._connected()
        async with self._turn, client.stream("POST", "/completion", json=body) as reply:
            async for line in reply.aiter_lines():
                if not line.startswith("data: "):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if event["content"]:
                    text += event["content"]
                    yield event["content"]
                if event["stop"]:
                    yield Written(text, event["stop_type"] != "limit")
                elif goes_round(text):
                    yield Written(text, ended=True)
                    return

    async def tokens(self, text: str) -> list[int]:
        """Give the tokens of a text."""
        body = {"content": text, "add_special": False, "parse_special": True}
        answer = await self._post("/tokenize", body)
        tokens: list[int] = answer["tokens"]
        return tokens

    async def text(self, tokens: list[int]) -> str:
        """Give the text of tokens."""
        answer = await self._post("/detokenize", {"tokens": tokens})
        return str(answer["content"])

    async def close(self) -> None:
        """Unload the model."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        self._server = None

    async def _complete(self, **body: Any) -> dict[str, Any]:
        async with self._turn:
            return await self._post("/completion", {**_GREEDY, **body})

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        reply = await self._connected().post(path, json=body)
        answer: dict[str, Any] = reply.json()
        if reply.status_code != 200:  # noqa: PLR2004  OK
            raise RuntimeError(f"llama.cpp refused: {answer['error'].get('message')}")
        return answer

    def _connected(self) -> "httpx.AsyncClient":
        if self._client is None:
            import httpx  # noqa: PLC0415  loaded at first use

            self._client = httpx.AsyncClient(base_url=self._url, timeout=None, trust_env=False)  # noqa: S113  a slow machine is no failure
        return self._client

    def _remember(self, key: tuple[str, str], score: float) -> None:
        self._scores[key] = score
        while len(self._scores) > limits.LOCAL_SCORES_KEPT:
            self._scores.popitem(last=False)


def goes_round(text: str) -> bool:
    """Say whether a text ends with the same words over and over; a ruled line does not count.

    A small model that always takes the likeliest word never leaves such a circle.
    """
    for length in range(8, limits.LOCAL_ROUND_CHARACTERS):
        said = text[-length:]
        if text.endswith(said * limits.LOCAL_ROUNDS) and len(said) == length:
            return len(set(said)) > 3  # noqa: PLR2004  characters
    return False


_GREEDY: Mapping[str, Any] = {"temperature": 0, "cache_prompt": True}
_PROSE: Mapping[str, Any] = {"stop": ["<|im_end|>"]}


def _start(model: Path) -> Any:
    try:
        import xllamacpp  # noqa: PLC0415  an extra, loaded at first use
    except ImportError as error:
        raise ConfigError(
            "the llama brain needs 'xllamacpp'; run: pip install 'toolstone[llama]'"
        ) from error
    if not model.is_file():
        raise ConfigError(f"no model file at {str(model)!r}; give a GGUF file")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    settings.n_ctx, settings.n_parallel = limits.LOCAL_CONTEXT_TOKENS, 1
    # Two threads on two shared cores spin at each other's barriers: ten times slower under load.
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.fit_params, settings.offline, settings.ui = False, True, False
    settings.verbosity = -1
    try:
        return xllamacpp.Server(settings)
    except RuntimeError as error:
        raise ConfigError(f"llama.cpp cannot load {str(model)!r}: {error}") from error
