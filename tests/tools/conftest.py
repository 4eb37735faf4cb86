import pytest

from toolstone.items import CallKey
from toolstone.tools import Pending, Tool, ToolContext, call_all


@pytest.fixture
def run_calls():
    """Make calls of functions, side by side: `[(function, '{"a":1}'), ...]`.

    What is told is in `told` (by position), `deltas`, and `order` (positions as they came home).
    """

    class Runner:
        def __init__(self):
            self.told = {}
            self.deltas = []
            self.order = []

        async def __call__(self, *calls, deps=None, **options):
            batch = []
            for position, call in enumerate(calls):
                function, text = call if isinstance(call, tuple) else (call, "{}")
                made, key = Tool.of(function), CallKey(0, position)
                batch.append(Pending(key, made, made.read(text), ToolContext("run", key, deps)))
            await call_all(batch, self.tell, **options)
            return [self.told[position] for position in range(len(calls))]

        async def tell(self, returned, deltas):
            for one in returned:
                assert one.call.position not in self.told  # told once
                self.told[one.call.position] = one
                self.order.append(one.call.position)
            self.deltas += deltas

    return Runner()
