# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG002
"""pydantic-ai, as its documentation says: `Agent`, plain functions, `NativeOutput`."""

from asking import PROMPT, Library, serve
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Booking(BaseModel):
    """A booking."""

    seats: int
    name: str


class PydanticAI(Library):
    """Its provider keeps the client."""

    packages = ("pydantic-ai-slim", "openai")
    own = ("pydantic_ai", "openai")

    def agent(self, given, tools, output, keep):
        """An agent; nothing is kept, as durable runs are left to engines of others."""
        settings = {"timeout": given["timeout"]} if given.get("timeout") else None
        provider = OpenAIProvider(base_url=given["base_url"], api_key="none")
        model = OpenAIResponsesModel("any", provider=provider, settings=settings)
        return Agent(model, tools=tools, output_type=NativeOutput(output) if output else str)

    async def run(self, agent):
        """`agent.run`."""
        return (await agent.run(PROMPT)).output

    async def stream(self, agent):
        """`agent.run_stream`."""
        async with agent.run_stream(PROMPT) as streamed:
            async for _ in streamed.stream_output(debounce_by=None):
                pass
            return await streamed.get_output()

    async def leave(self, agent, left):
        """`run_stream_events`, left by breaking out."""
        async with agent.run_stream_events(PROMPT) as events:
            async for event in events:
                if left(event):
                    break

    def run_sync(self, agent):
        """`agent.run_sync`."""
        return agent.run_sync(PROMPT).output


if __name__ == "__main__":
    serve(PydanticAI(), Booking)
