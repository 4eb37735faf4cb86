# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, ARG002
"""langchain, as its documentation says: `create_agent`, `tool`, a checkpointer of langgraph."""

import sqlite3

from asking import PROMPT, Library, serve
from langchain.agents import create_agent
from langchain.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import BaseModel

SAID = {"messages": [{"role": "user", "content": PROMPT}]}
THREAD = {"configurable": {"thread_id": "s"}}


class Booking(BaseModel):
    """A booking."""

    seats: int
    name: str


class LangChain(Library):
    """The Responses API is a switch of its chat model."""

    packages = ("langchain", "langgraph", "langchain-openai", "openai")
    own = ("langchain", "langchain_core", "langchain_openai", "langgraph", "openai")
    keeps = "SqliteSaver, durability sync"

    def agent(self, given, tools, output, keep):
        """An agent; with a checkpointer if something is to be kept."""
        timeout = {"timeout": given["timeout"]} if given.get("timeout") else {}
        model = ChatOpenAI(
            model="any",
            base_url=given["base_url"],
            api_key="none",
            use_responses_api=True,
            **timeout,
        )
        saver = None
        if keep:
            saver = SqliteSaver(sqlite3.connect(keep / "graph.sqlite", check_same_thread=False))
        return create_agent(
            model,
            [tool(one) for one in tools],
            response_format=output,
            checkpointer=saver,
        )

    async def run(self, agent):
        """`ainvoke`."""
        return _read(await agent.ainvoke(SAID))

    async def stream(self, agent):
        """`astream`, with the model's own stream in it."""
        found = {}
        async for mode, part in agent.astream(SAID, stream_mode=["messages", "values"]):
            found = part if mode == "values" else found
        return _read(found)

    async def leave(self, agent, left):
        """Break out of the loop."""
        async for part in agent.astream(SAID, stream_mode="messages"):
            if left(part):
                break

    def run_sync(self, agent):
        """`invoke`."""
        return _read(agent.invoke(SAID))

    def go_on(self, agent, prompt, paid):
        """The same thread: with nothing new to say it goes on where its checkpoints end."""
        begun = agent.get_state(THREAD).values
        said = None if begun else {"messages": [{"role": "user", "content": prompt}]}
        agent.invoke(said, THREAD, durability="sync")
        return []


def _read(found):
    if "structured_response" in found:
        return found["structured_response"]
    return found["messages"][-1].text


if __name__ == "__main__":
    serve(LangChain(), Booking)
