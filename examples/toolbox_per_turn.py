"""Which tools are offered is decided before each turn: writing only once somebody has read.

Prints:
    ['files_read']
    ['files_read', 'files_write']
    ['files_read', 'files_write']
    Done.
"""

from toolstone import Agent, Tool, Toolbox
from toolstone.testing import Scripted, call

seen: list[str] = []


def read(path: str) -> str:
    """Read a file."""
    seen.append(path)
    return "old text"


def write(path: str, text: str) -> str:
    """Write a file."""
    return f"wrote {len(text)} characters to {path}"


def allowed(tool: Tool) -> bool:
    """Asked before every turn."""
    return tool.name != "files_write" or bool(seen)


files = Toolbox([read, write], name="files").prefix("files_").filter(allowed)
model = Scripted(
    call("files_read", path="a.txt"), call("files_write", path="a.txt", text="new"), "Done."
)
result = Agent(model, tools=[files]).run_sync("Change a.txt")

for request in model.requests:
    print([spec.name for spec in request.tools])
print(result.output)
