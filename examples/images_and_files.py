"""Images and files: said by you, or given back by a tool.

Prints:
    you sent: input_text, input_image
    the tool gave back: input_text, input_file
    A dot, and a short report.
"""

import base64
from pathlib import Path

from toolstone import Agent, File, Image, Message
from toolstone.testing import Scripted, call

DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
Path("dot.png").write_bytes(base64.b64decode(DOT))
Path("report.csv").write_text("colour,count\nred,1\n")


def fetch(name: str) -> list[str | File]:
    """Fetch a report."""
    return [f"the report {name}:", File(path=f"{name}.csv")]


model = Scripted(call("fetch", name="report"), "A dot, and a short report.")
agent = Agent(model, tools=[fetch])
result = agent.run_sync(["What is this, and what does the report say?", Image(path="dot.png")])

said, _call, told, _answer = result.items
if isinstance(said, Message):
    print("you sent:", ", ".join(part["type"] for part in said.parts))
print("the tool gave back:", ", ".join(part["type"] for part in told.raw["output"]))
print(result.output)
