"""A module as programs have them: tools, and much that is none."""

from pathlib import Path

from toolstone import Agent, Tool, Toolbox, tool
from toolstone.testing import Scripted


def delete_everything(root: str) -> None:
    """A helper that is no tool, with a signature that would make one."""
    Path(root).rmdir()


def _private(path: str) -> str:
    """Neither is this."""
    return path


def read(path: str) -> str:
    """Read a file."""
    return _private(path)


@tool(approve=True)
def write(path: str, text: str) -> int:
    """Write a file."""
    return len(text)


class Shop:
    """Only what an agent is given of it is a tool."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def sell(self, item: str) -> str:
        """Sell something."""
        return item

    def empty_the_till(self) -> str:
        """Not for models."""
        return self.secret


shop = Shop("canary")
asking = Tool.from_schema("ask_a_person", {"type": "object", "properties": {}})
files = Toolbox([read, write], name="files").prefix("files_")
model = Scripted("done", "done")
agent = Agent(model, tools=[files, shop.sell, asking])
plain = Agent(model)
