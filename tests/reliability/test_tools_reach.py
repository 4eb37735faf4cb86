"""Block T: what tools return, and what they reach that is not theirs."""

import asyncio
import contextvars
import threading

import pytest
from toolstone_acting import BOTH, DOORS, acting, go, told
from toolstone_meeting import Meeting

from toolstone import Agent, CancelToken, Toolbox, ToolContext, tool
from toolstone.errors import ConflictError, DefinitionError
from toolstone.testing import Scripted, call

# ------------------------------------------------------------------------------------ returning


@DOORS
@BOTH
async def test_t10_half_a_character_is_told_as_a_visible_escape_and_can_be_sent(
    door, waits, peer, transport
):
    given = acting(lambda: "a\ud800b", waits=waits)
    model = Meeting(peer, peer.base_url("M19"), transport).model
    result = await go(Agent(model, tools=[given]), door)

    sent = [one for one in peer.met[-1].json["input"] if one["type"] == "function_call_output"]
    assert [one["output"] for one in sent] == ["a\\ud800b"] * 2
    assert result.output


@BOTH
async def test_t12_fifty_megabytes_are_cut_with_the_true_size_and_code_can_keep_them(waits):
    whole, kept = "é" * 25_000_000, []

    def big(context: ToolContext[list[str]]) -> str:
        context.deps.append(whole)
        return whole

    async def later(context: ToolContext[list[str]]) -> str:
        return big(context)

    acts = tool(name="acts")(later if waits else big)
    model = Scripted([call("acts")], "done")
    result = await Agent(model, tools=[acts]).run("go", deps=kept)

    text = result.calls[0].output
    assert text == whole[:131_072] + "\n[cut: the first 262144 of 50000000 bytes]"
    assert model.requests[1].items[-1].output == text
    assert kept[0] is whole


def cycle():
    found = {}
    found["again"] = [found]
    return found


class Proxy:
    """As lazy objects of web frameworks are: asking for its class fetches it."""

    fetched = 0

    @property
    def __class__(self):
        Proxy.fetched += 1
        return str


class Raising(list):
    def __iter__(self):
        raise OSError("canary")


class Speechless(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("canary")

    __repr__ = __str__


class Again:
    def __repr__(self):
        return repr(self)


UNTELLABLE = {
    "a cycle": (cycle, "the tool returned a value that is nested too deep, or holds itself"),
    "a proxy": (Proxy, "the tool returned a 'Proxy', which stands for a value"),
    "a list with a proxy": (lambda: [Proxy()], "the tool returned a 'Proxy', which stands for"),
    "a dict with a proxy": (lambda: {"a": Proxy()}, "the tool returned a 'Proxy', which stands for"),
    "a list that cannot be read": (lambda: Raising([1]), "the tool failed: OSError (reference "),
    "an object whose repr recurses": (Again, "the tool returned a 'Again', which has no form"),
    "a list of those": (lambda: [Again()], "the tool returned a 'Again', which has no form"),
    "text whose str raises": (lambda: Speechless("kept"), "kept"),
}  # fmt: skip


@DOORS
@BOTH
@pytest.mark.parametrize("name", UNTELLABLE)
async def test_t13_what_cannot_be_written_is_a_typed_failure(door, waits, name):
    make, says = UNTELLABLE[name]
    (text,) = await told([acting(make, waits=waits)], call("acts"), door=door)

    assert text.startswith(says), text
    assert "canary" not in text
    assert Proxy.fetched == 0, (
        "the proxy was asked for its class, and fetched its value on the loop"
    )


# ------------------------------------------------------------------------ reaching where it should not


@BOTH
async def test_t15_a_tool_that_changes_its_arguments_changes_nobody_elses(waits):
    seen = []

    def act(items: list[int], more: dict[str, list[int]], extra: list[int] = [7]):  # noqa: B006
        seen.append((list(items), {k: list(v) for k, v in more.items()}, list(extra)))
        for one in (items, extra, *more.values()):
            one.append(99)
        more.clear()
        return "changed"

    async def later(items: list[int], more: dict[str, list[int]], extra: list[int] = [7]) -> str:  # noqa: B006
        return act(items, more, extra)

    acts = tool(name="acts", retries=1)(later if waits else act)
    one = call("acts", items=[1], more={"a": [2]})
    model = Scripted([one, one], [one], "done")
    result = await Agent(model, tools=[acts]).run("go")

    assert seen == [([1], {"a": [2]}, [7])] * 3
    assert [made.arguments for made in result.calls] == ['{"items":[1],"more":{"a":[2]}}'] * 3
    sent = [item for item in model.requests[-1].items if item.type == "function_call"]
    assert {item.arguments for item in sent} == {'{"items":[1],"more":{"a":[2]}}'}


async def test_t15_a_context_is_a_calls_own():
    meet = asyncio.Barrier(2)

    async def meddles(context: ToolContext[None]) -> str:
        context.cancel.cancel()
        await meet.wait()
        context.run = "another"
        return "changed"

    async def looks(context: ToolContext[None]) -> str:
        await meet.wait()
        return f"{context.cancel.requested}"

    token = CancelToken()
    model = Scripted([call("meddles"), call("looks")], "done")
    result = await Agent(model, tools=[meddles, looks]).run("go", cancel=token)

    assert result.calls[0].output.startswith("the tool failed: FrozenInstanceError")
    assert (result.calls[1].output, token.requested, result.output) == ("False", False, "done")


INTO = {
    "run": lambda agent: agent.run("again", session="s"),
    "resume": lambda agent: agent.resume("s"),
    "advance": lambda agent: agent.advance("s"),
    "settle": lambda agent: agent.settle("s", "0.0", result="myself"),
    "begin": lambda agent: agent.begin("again", "s"),
}


@DOORS
@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("way", INTO)
async def test_t16_a_tool_cannot_go_on_with_the_run_that_waits_for_it(door, repeatable, way):
    ran = []

    @tool(repeatable=repeatable)
    async def calls_back() -> str:
        ran.append(True)
        with pytest.raises(ConflictError, match="waits for this very tool call"):
            await INTO[way](agent)
        return "refused"

    model = Scripted(call("calls_back"), "done")
    agent = Agent(model, tools=[calls_back])
    result = await go(agent, door, session="s")

    assert (ran, result.calls[0].output, result.output) == ([True], "refused", "done")


@BOTH
async def test_t16_a_blocking_door_into_the_same_run_does_not_hang(waits):
    def act():
        with pytest.raises(ConflictError, match="waits for this very tool call"):
            agent.resume_sync("s")
        return agent.run_sync("another").output

    acts = acting(act, waits=waits)
    model = Scripted(call("acts"), "inner", "outer")
    agent = Agent(model, tools=[acts])
    async with asyncio.timeout(30):
        result = await agent.run("go", session="s")

    assert (result.calls[0].output, result.output) == ("inner", "outer")


async def test_t16_nor_through_a_run_of_another_agent():
    async def calls_back() -> str:
        with pytest.raises(ConflictError, match="waits for this very tool call"):
            await outer.resume("s")
        return "refused"

    inner = Agent(Scripted(call("calls_back"), "inner"), tools=[calls_back], name="inner")
    outer = Agent(
        Scripted(call("inner", request="x"), "outer"), tools=[inner.as_tool(description="Ask.")]
    )
    result = await outer.run("go", session="s")

    assert (result.calls[0].output, result.output) == ("inner", "outer")


async def test_t16_a_session_of_the_same_name_elsewhere_is_another_session():
    inner = Agent(Scripted("inner"))

    async def asks() -> str:
        return (await inner.run("x", session="s")).output

    result = await Agent(Scripted(call("asks"), "outer"), tools=[asks]).run("go", session="s")

    assert result.calls[0].output == "inner"


async def test_t16_what_a_tool_left_running_may_go_on_with_the_session_afterwards():
    over, later = asyncio.Event(), []

    async def leaves() -> str:
        async def after():
            await over.wait()
            return await agent.run("later", session="s")

        later.append(asyncio.create_task(after()))
        return "left"

    agent = Agent(Scripted(call("leaves"), "done", "went on"), tools=[leaves])
    await agent.run("go", session="s")
    over.set()

    assert (await later[0]).output == "went on"


where = contextvars.ContextVar("where", default="nowhere")


@DOORS
async def test_t18_context_variables_are_seen_and_changes_stay_in_their_call(door):
    meet = asyncio.Barrier(2)
    crossed = threading.Barrier(2)

    async def later(n: int) -> str:
        seen = where.get()
        where.set(f"later {n}")
        await meet.wait()
        return f"{seen}, then {where.get()}"

    def now(n: int) -> str:
        seen = where.get()
        where.set(f"now {n}")
        crossed.wait(5)
        return f"{seen}, then {where.get()}"

    where.set("caller")
    calls = [call("later", n=1), call("now", n=2), call("later", n=3), call("now", n=4)]
    texts = await told([later, now], *calls, door=door)

    assert texts == [
        "caller, then later 1",
        "caller, then now 2",
        "caller, then later 3",
        "caller, then now 4",
    ]
    assert where.get() == "caller"


# ---------------------------------------------------------------------------------- registration


class Missing:
    """A type that needs a package that is not installed."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")


class Failing:
    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        raise ZeroDivisionError


class Lazy:
    def __getattr__(self, name):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")


np = Lazy()


def by_type(array: Missing) -> str: ...
def by_text(array: "np.ndarray") -> str: ...
def by_default(array: list[Missing] | None = None) -> str: ...
def failing(array: Failing) -> str: ...


@pytest.mark.parametrize("function", [by_type, by_text, by_default])
def test_t23_a_type_that_needs_what_is_not_installed_is_told_with_the_tools_name(function):
    with pytest.raises(DefinitionError, match=f"tool '{function.__name__}': its types need 'numpy'; install it"):  # fmt: skip
        Agent(Scripted(), tools=[function])
    with pytest.raises(DefinitionError, match=f"tool '{function.__name__}'"):
        tool(function)


def test_t23_whatever_else_a_type_raises_is_told_with_the_tools_name():
    with pytest.raises(DefinitionError, match="tool 'failing': reading its types raised ZeroDiv"):
        Agent(Scripted(), tools=[failing])


def wiki(label):
    return {"type": "mcp", "server_label": label, "server_url": "https://wiki.example/mcp"}


def test_t24_two_tools_of_one_name_are_an_error_when_the_agent_is_made():
    def read(path: str) -> str:
        """Read."""

    files, web = Toolbox([read], name="files"), Toolbox([read], name="web")
    with pytest.raises(DefinitionError, match=r"'read': one from toolbox 'files', one from toolbox 'web'; rename one with .*prefix"):  # fmt: skip
        Agent(Scripted(), tools=[files, web])
    with pytest.raises(DefinitionError, match="two tools are named 'mcp:wiki'"):
        Agent(Scripted(), tools=[wiki("wiki"), wiki("wiki")])

    agent = Agent(Scripted(), tools=[files.prefix("files_"), web.prefix("web_"), wiki("a"), wiki("b")])  # fmt: skip
    assert [one.name for one in agent.tools] == ["files_read", "web_read", "mcp:a", "mcp:b"]


async def test_t24_nor_can_a_run_be_given_them():
    async def same() -> str:
        """One."""

    other = tool(name="same")(lambda: "")
    with pytest.raises(DefinitionError, match="two tools are named 'same'"):
        await Agent(Scripted("x")).run("go", tools=[same, other])


def plain(city: str, days: int = 1) -> str:
    """Forecast."""
    if city == "nowhere":
        raise KeyError(city)
    return f"{city} {days}"


def test_t29_a_decorated_function_is_the_same_function():
    def again(city: str, days: int = 1) -> str:
        """Forecast."""
        if city == "nowhere":
            raise KeyError(city)
        return f"{city} {days}"

    decorated = tool(timeout=1, retries=2, name="forecast")(again)

    assert decorated is again
    for given in ((), ("a", 1, 2), ("nowhere",), ("a", 3)):
        assert outcome(decorated, given) == outcome(plain, given)
    Agent(Scripted(), tools=[decorated])
    assert outcome(decorated, ("nowhere",)) == outcome(plain, ("nowhere",))


def outcome(function, given):
    try:
        return function(*given)
    except Exception as error:
        said = str(error).replace(function.__qualname__, "it")
        depth = len(list(_frames(error.__traceback__)))
        return type(error), said, depth


def _frames(trace):
    while trace is not None:
        yield trace
        trace = trace.tb_next
