"""One request that meets a scenario, what is seen of it, and whether its row agrees."""

import re

from toolstone.errors import ServiceError
from toolstone.events import TextDelta
from toolstone.items import user
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.wire import Deadlines, Retry

KEY = "sk-canary-0123456789abcdef"
TEXT = "It is 21 °C in Paris. 😀"
PROMPT = "the prompt canary"


class Time:
    """Virtual time: what would have been slept, and a clock that moves by it."""

    def __init__(self):
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)

    def retry(self, **options):
        return Retry(sleep=self.sleep, clock=lambda: sum(self.slept), random=lambda: 0.5, **options)


class Meeting:
    """One request that meets a scenario, and all that is seen of it."""

    def __init__(self, peer, base_url, transport, **options):
        self.peer, self.time, self.seen = peer, Time(), []
        self.model = Responses(
            model="m",
            base_url=base_url,
            api_key=KEY,
            transport=transport(),
            retry=options.pop("retry", self.time.retry()),
            **options,
        )

    async def emit(self, deltas):
        self.seen.extend(deltas)
        self.peer.release()

    async def ask(self, door="plain"):
        """The response or the exception."""
        try:
            request = Request((user(PROMPT),), stream=door == "streamed")
            return await self.model.respond(request, self.emit)
        except ServiceError as error:
            return error

    @property
    def text(self):
        return "".join(d.text for d in self.seen if type(d) is TextDelta)


def options_of(case):
    """What a case's client is given: a deadline that passes soon, if the case is about one."""
    if "deadline" not in case:
        return {}
    return {"deadlines": Deadlines(**{"idle": 60.0, "total": 60.0, case["deadline"]: 0.15})}


def check(case, ended, time):
    """Compare how it ended with what the row says."""
    if case["ends"] == "answer":
        assert not isinstance(ended, Exception), repr(ended)
        attempts = 1 + sum(note.what == "attempt" for note in ended.notes)
        assert (ended.status, ended.text) == ("completed", case.get("text", TEXT))
        usage = ended.usage
        assert min(usage.input_tokens, usage.output_tokens) >= 0
        warnings = [note.text for note in ended.notes if note.what == "warning"]
        if "warning" in case:
            assert any(re.search(case["warning"], text) for text in warnings), warnings
        assert attempts == case.get("attempts", attempts)
    else:
        assert type(ended).__name__ == case["ends"], repr(ended)
        for name in ("phase", "outcome", "retryable", "attempts", "status", "code", "retry_after"):
            if name in case:
                assert (name, getattr(ended, name)) == (name, case[name]), repr(ended)
        assert re.search(case.get("message", ""), str(ended), re.DOTALL), str(ended)
        assert len(ended.body) <= case.get("body_at_most", 65536)
        assert "\n" not in str(ended)
        for told in (str(ended), repr(ended), str(ended.notes)):
            assert KEY not in told
            assert PROMPT not in told
            assert "in Paris" not in told
    if "waits" in case:
        low, high = case["waits"]
        (slept,) = time.slept
        assert low <= slept <= high
