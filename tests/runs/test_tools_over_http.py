"""Custom tools, tools of the service, parts and views against the endpoint of this house."""

import pytest

from toolstone import (
    Agent,
    CustomTool,
    FailedError,
    File,
    Image,
    InputError,
    Responses,
    ServerCompaction,
    ServerTool,
    Settings,
    SQLiteLedger,
    Summary,
    custom_tool,
)
from toolstone.events import ArgumentsDelta
from toolstone.local import Function, Script, call, serve
from toolstone.local.brains.answers import custom, error, item

PNG = b"\x89PNG\r\n\x1a\n"
SEARCH = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search"},
}


@custom_tool(regex="SELECT .+")
def sql(query: str) -> list[str]:
    """Run a query."""
    return [query.lower()]


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def is_sql(event):
    return isinstance(event, ArgumentsDelta) and event.name == "sql"


def model(endpoint):
    return Responses(model="script", base_url=endpoint.base_url)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_custom_call_and_a_function_call_go_round(streamed):
    script = Script([[custom("sql", "SELECT 1"), call("add", a=1, b=2)], "Done."])
    deltas: list[str] = []
    with serve(script) as endpoint:
        async with Agent(model(endpoint), tools=[sql, add]) as agent:
            if streamed:
                async with agent.stream("Go") as stream:
                    deltas = [e.text async for e in stream.events() if is_sql(e)]
                    result = await stream.result()
            else:
                result = await agent.run("Go")

    assert result.output == "Done."
    assert [one.output for one in result.calls] == ['["select 1"]', "3"]
    assert result.requests[0]["tools"][0] == {
        "type": "custom",
        "name": "sql",
        "description": "Run a query.",
        "format": {"type": "grammar", "syntax": "regex", "definition": "SELECT .+"},
    }
    assert [one["type"] for one in result.requests[1]["input"][-2:]] == [
        "custom_tool_call_output",
        "function_call_output",
    ]
    assert "".join(deltas) == ("SELECT 1" if streamed else "")


async def test_a_settled_custom_call_survives_the_process(tmp_path):
    with serve(Script([custom("theirs", "do it"), "Done."])) as endpoint:
        ledger = SQLiteLedger(tmp_path / "runs.sqlite")
        agent = Agent(model(endpoint), tools=[CustomTool("theirs")], ledger=ledger)
        waiting = await agent.run("Go", session="s")
        await agent.aclose()
        ledger.close()

        ledger = SQLiteLedger(tmp_path / "runs.sqlite")
        agent = Agent(model(endpoint), tools=[CustomTool("theirs")], ledger=ledger)
        await agent.settle("s", waiting.waiting[0].key, result="done by hand")
        result = await agent.resume("s")
        await agent.aclose()
        ledger.close()
    assert (result.output, result.calls[0].output) == ("Done.", "done by hand")
    assert result.calls[0].arguments == "do it"


async def test_tools_of_the_service_go_out_with_functions_and_their_items_come_back():
    script = Script([[item(**SEARCH), call("add", a=1, b=2)], "Three."])
    with serve(script) as endpoint:
        tools = [add, ServerTool("web_search", search_context_size="low")]
        async with Agent(model(endpoint), tools=tools) as agent:
            result = await agent.run("Go")
    assert [tool["type"] for tool in result.requests[0]["tools"]] == ["function", "web_search"]
    assert result.requests[0]["tools"][1]["search_context_size"] == "low"
    assert SEARCH["action"] in [one.get("action") for one in result.requests[1]["input"]]


async def test_a_forced_custom_tool_is_asked_for_by_its_name():
    with serve(Script([custom("sql", "SELECT 1"), "Done."])) as endpoint:
        settings = Settings(tool_choice="sql")
        async with Agent(model(endpoint), tools=[sql], settings=settings) as agent:
            result = await agent.run("Go")
    assert [request["tool_choice"] for request in result.requests] == [
        {"type": "custom", "name": "sql"},
        "auto",
    ]


async def test_images_and_files_arrive(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    seen = []

    def answer(turn):
        seen.append(turn.items)
        return "Seen."

    with serve(Function(answer)) as endpoint:
        async with Agent(model(endpoint)) as agent:
            await agent.run(["Look", Image(path=tmp_path / "a.png"), File(data=b"x", name="a.txt")])
            with pytest.raises(InputError, match=r"gone.png'\) cannot be read"):
                await agent.run(["Look", Image(path=tmp_path / "gone.png")])
    kinds = [part["type"] for part in seen[0][0]["content"]]
    assert kinds == ["input_text", "input_image", "input_file"]
    assert len(seen) == 1


async def test_the_service_compacts_and_the_conversation_goes_on():
    with serve(Script(["x" * 4_000, "y" * 4_000, "Done."], by="conversation")) as endpoint:
        agent = Agent(model(endpoint), view=ServerCompaction(1_000))
        for text in ("one", "two"):
            result = await agent.run(text, session="s")
        await agent.aclose()
    noted = [record.fact for record in result.records if record.fact.type == "noted"]
    assert [(note.what, note.data["by"]) for note in noted] == [("compacted", "service")]
    sent = result.requests[-1]["input"]
    assert "compaction" in [one["type"] for one in sent]
    assert result.usage.requests == 2


async def test_the_model_of_a_summary_may_be_named_by_a_string():
    with serve(Script(["THE SUMMARY"])) as writer, serve(Script(["Done."])) as endpoint:
        view = Summary(500, keep_last=1, model=f"responses+{writer.base_url}#script")
        async with Agent(model(endpoint), view=view) as agent:
            long = [{"role": "user", "content": "x" * 3_000}, {"role": "assistant", "content": "y"}]
            result = await agent.run([*long, {"role": "user", "content": "Go on"}])
    assert result.requests[0]["input"][0]["content"].endswith("THE SUMMARY")


async def test_a_conversation_that_does_not_fit_is_summed_up_and_without_a_view_says_so():
    asked = []

    def answer(turn):
        asked.append(turn)
        if len(asked) == 1:
            return error(400, "context_length_exceeded", "too long")
        return "THE SUMMARY" if len(asked) == 2 else "Done."

    history = [
        {"role": "user", "content": "x" * 3_000},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "Go on"},
    ]
    with serve(Function(answer)) as endpoint:
        async with Agent(model(endpoint), view=Summary(100_000)) as agent:
            result = await agent.run(history)
        asked.clear()
        async with Agent(model(endpoint)) as agent:
            with pytest.raises(FailedError, match=r"Agent\(view="):
                await agent.run(history)
    assert result.output == "Done."
    assert any("THE SUMMARY" in one["content"] for one in result.requests[-1]["input"])
