"""How many tokens a turn is, where the brain does not say."""

import json
from typing import Any

from toolstone.local.brain import Brain, Counting, Turn

__all__ = ["count", "estimate"]


async def count(brain: Brain, turn: Turn) -> int:
    """Ask the brain; one that cannot count has four characters of JSON taken for a token."""
    if isinstance(brain, Counting):
        return await brain.count(turn)
    return estimate([list(turn.items), turn.instructions, turn.body.get("tools")])


def estimate(said: Any) -> int:
    """Count four characters of JSON as one token: steady, and never zero for something said."""
    return -(-len(json.dumps(said)) // 4)
