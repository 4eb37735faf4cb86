# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, ARG002
"""openai-agents, as its documentation says: `Runner`, `function_tool`, `SQLiteSession`."""

import asyncio

from agents import Agent, Runner, SQLiteSession, function_tool, set_tracing_disabled
from agents.models.openai_responses import OpenAIResponsesModel
from asking import PROMPT, Library, serve
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)


class Booking(BaseModel):
    """A booking."""

    seats: int
    name: str


class OpenAIAgents(Library):
    """A client of its own for each agent."""

    packages = ("openai-agents", "openai")
    own = ("agents", "openai")
    keeps = "SQLiteSession"

    def agent(self, given, tools, output, keep):
        """An agent, and where its session is kept."""
        timeout = {"timeout": given["timeout"]} if given.get("timeout") else {}
        client = AsyncOpenAI(base_url=given["base_url"], api_key="none", **timeout)
        self.keep = keep
        return Agent(
            name="clerk",
            model=OpenAIResponsesModel(model="any", openai_client=client),
            tools=[function_tool(one) for one in tools],
            output_type=output,
        )

    async def run(self, agent):
        """`Runner.run`."""
        return (await Runner.run(agent, PROMPT)).final_output

    async def stream(self, agent):
        """`Runner.run_streamed`."""
        streamed = Runner.run_streamed(agent, PROMPT)
        async for _ in streamed.stream_events():
            pass
        return streamed.final_output

    async def leave(self, agent, left):
        """Break out of the loop; `cancel()` is not called."""
        streamed = Runner.run_streamed(agent, PROMPT)
        async for event in streamed.stream_events():
            if left(event):
                break

    def run_sync(self, agent):
        """`Runner.run_sync`."""
        asyncio.set_event_loop(asyncio.new_event_loop())
        return Runner.run_sync(agent, PROMPT).final_output

    def go_on(self, agent, prompt, paid):
        """The same session; something new must be said, as there is no door for going on."""

        async def run():
            session = SQLiteSession("s", self.keep / "session.sqlite")
            said = await session.get_items()
            await Runner.run(agent, "Go on." if said else prompt, session=session)

        asyncio.run(run())
        return []


if __name__ == "__main__":
    serve(OpenAIAgents(), Booking)
