"""A model is asked once, and replayed from a file ever after: offline, and strict about changes.

Prints:
    recorded: It is 14.5 degrees. (2 requests to the model)
    replayed: It is 14.5 degrees. (2 requests to the model)
    changed:  input[0].content: text of 15 characters, recorded 9, different from character 4 on
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from toolstone import Agent
from toolstone.errors import UsageError
from toolstone.testing import Cassette, Scripted, call


def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return {"Paris": 14.5}[city]


live = Scripted(call("weather", city="Paris"), "It is 14.5 degrees.")
"""Stands for a model that costs money; in your test write "openai/gpt-5.6"."""

with TemporaryDirectory() as folder:
    file = Path(folder) / "weather.jsonl"

    recorded = Agent(Cassette(file, live, record=True), tools=[weather]).run_sync("How warm?")
    print(f"recorded: {recorded.output} ({len(live.requests)} requests to the model)")

    replayed = Agent(Cassette(file, live), tools=[weather]).run_sync("How warm?")
    print(f"replayed: {replayed.output} ({len(live.requests)} requests to the model)")

    try:
        Agent(Cassette(file, live), tools=[weather]).run_sync("How cold is it?")
    except UsageError as error:
        where = str(error).partition("but: ")[2].partition(";")[0]
        print(f"changed:  {where}")
