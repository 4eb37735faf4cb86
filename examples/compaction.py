"""A long conversation is summed up by a small model before it no longer fits.

Prints:
    turn 1 sends 1 items
    turn 2 sends 3 items
    turn 3 sends 5 items
    turn 4 sends 3 items
    the first one: Summary of the conversation before this point: Ann plans a trip.
    the session still has 8 messages
"""

from toolstone import Agent, Message, Summary
from toolstone.testing import Scripted

LONG = "and much more about it, " * 40

model = Scripted(*[f"Answer {n}, {LONG}" for n in range(1, 5)])
writer = Scripted(*["Ann plans a trip."] * 4)
agent = Agent(model, view=Summary(above=2_000, keep_last=4, model=writer))

for n in range(1, 5):
    result = agent.run_sync(f"Question {n}, {LONG}", session="ann")
    print(f"turn {n} sends {len(model.requests[-1].items)} items")

first = model.requests[-1].items[0]
if isinstance(first, Message):
    print("the first one:", " ".join(first.text.split()))
print(f"the session still has {len(result.items)} messages")
