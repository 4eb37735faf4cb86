# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, ARG002
"""strands, as its documentation says: `Agent`, `tool`, `FileSessionManager`."""

from asking import PROMPT, Library, serve
from pydantic import BaseModel
from strands import Agent, tool
from strands.models.openai_responses import OpenAIResponsesModel
from strands.session.file_session_manager import FileSessionManager


class Booking(BaseModel):
    """A booking."""

    seats: int
    name: str


class Strands(Library):
    """It asks for a stream whatever the door."""

    packages = ("strands-agents", "openai")
    own = ("strands", "openai")
    keeps = "FileSessionManager"

    def agent(self, given, tools, output, keep):
        """An agent; its session in files if something is to be kept."""
        timeout = {"timeout": given["timeout"]} if given.get("timeout") else {}
        client = {"base_url": given["base_url"], "api_key": "none", **timeout}
        kept = {"session_manager": FileSessionManager("s", str(keep))} if keep else {}
        return Agent(
            model=OpenAIResponsesModel(client_args=client, model_id="any"),
            tools=[tool(one) for one in tools],
            structured_output_model=output,
            callback_handler=None,
            **kept,
        )

    async def run(self, agent):
        """`invoke_async`."""
        return _read(await agent.invoke_async(PROMPT))

    async def stream(self, agent):
        """`stream_async`."""
        found = None
        async for event in agent.stream_async(PROMPT):
            found = event.get("result", found)
        return _read(found)

    async def leave(self, agent, left):
        """Break out of the loop."""
        async for event in agent.stream_async(PROMPT):
            if left({name: one for name, one in event.items() if name != "agent"}):
                break

    def run_sync(self, agent):
        """Call the agent."""
        return _read(agent(PROMPT))

    def go_on(self, agent, prompt, paid):
        """The same session; something new must be said, as there is no door for going on."""
        agent("Go on." if agent.messages else prompt)
        return []


def _read(result):
    typed = getattr(result, "structured_output", None)
    return typed if typed is not None else str(result).removesuffix("\n")


if __name__ == "__main__":
    serve(Strands(), Booking)
