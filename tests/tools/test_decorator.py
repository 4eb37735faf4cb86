import functools
import inspect

import pytest

from toolstone.errors import DefinitionError
from toolstone.tools import Limit, Tool, tool


def plain(city: str, days: int = 1) -> str:
    """Forecast."""
    return f"{city} {days}"


def test_the_same_function_comes_back():
    async def later(city: str) -> str:
        return city

    assert tool(plain) is plain
    assert tool(timeout=1)(later) is later
    assert plain("P", days=2) == "P 2"
    assert inspect.iscoroutinefunction(later)


def test_identical_errors_after_decoration():
    @tool
    def fails(city: str) -> str:
        raise KeyError(city)

    with pytest.raises(KeyError, match="P"):
        fails("P")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'city'"):
        fails()


def test_the_policy_is_the_tools():
    limit = Limit("decorated", 2)

    def over(arguments):
        return arguments["city"] == "P"

    @tool(
        timeout=5,
        retries=2,
        repeatable=True,
        limit=limit,
        approve=over,
        strict=False,
        name="cast",
        description="Tell.",
    )
    def forecast(city: str) -> str:
        """Not told."""
        return city

    made = Tool.of(forecast)
    assert (made.timeout, made.retries, made.repeatable, made.limit, made.serial) == (
        5,
        2,
        True,
        limit,
        False,
    )
    assert (made.name, made.description, made.strict) == ("cast", "Tell.", False)
    assert made.approve({"city": "P"})
    assert made.gate is limit.gate


def test_policy_travels_through_partials_methods_and_wrappers():
    @tool(timeout=7)
    def base(a: int, b: int) -> int:
        return a + b

    class Holder:
        @tool(timeout=8)
        def method(self, a: int) -> int:
            return a

        @tool(timeout=9)
        @classmethod
        def of(cls, a: int) -> int:
            return a

        @staticmethod
        @tool(timeout=10)
        def plain(a: int) -> int:
            return a

    @functools.wraps(base)
    def wrapper(*args, **kwargs):
        return base(*args, **kwargs)

    timeouts = [
        Tool.of(one).timeout
        for one in (functools.partial(base, 1), Holder().method, Holder.of, Holder.plain, wrapper)
    ]
    assert timeouts == [7, 8, 9, 10, 7]


def test_two_tools_of_a_serial_function_share_their_turn():
    @tool(serial=True)
    def alone() -> str: ...

    first = Tool.of(alone)
    alone.__doc__ = "Changed, so that the tool is made anew."

    assert Tool.of(alone) is not first
    assert Tool.of(alone).gate is first.gate


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeout": 0}, "timeout=0: give seconds above 0, or None"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"retries": -1}, "retries=-1: give 0 or more"),
        ({"retries": True}, "retries=True"),
        ({"strict": "maybe"}, "strict='maybe': give True, False or \"auto\""),
        ({"serial": True, "limit": Limit("both", 1)}, "serial is a limit of 1 of the tool's own"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(options, says):
    with pytest.raises(DefinitionError, match=says):
        tool(**options)


def test_what_cannot_be_a_tool_is_refused_at_decoration():
    with pytest.raises(DefinitionError, match="untyped: parameter 'city' has no type"):

        @tool
        def untyped(city): ...

    with pytest.raises(DefinitionError, match=r"stars: parameter '\*cities'"):

        @tool
        def stars(*cities: str): ...

    with pytest.raises(
        DefinitionError, match=r"clings: parameter 'a' has a default of type 'object'"
    ):

        @tool
        def clings(a: int = object()): ...

    with pytest.raises(DefinitionError, match=r"free cannot be strict: a: any keys are allowed"):

        @tool(strict=True)
        def free(a: dict[str, int]): ...

    with pytest.raises(
        DefinitionError, match=r"opaque: parameter 'a': the type Signature cannot be described"
    ):

        @tool
        def opaque(a: inspect.Signature): ...


def test_methods_are_checked_as_far_as_they_can_be():
    with pytest.raises(DefinitionError, match=r"Shop.sell: parameter 'item' has no type"):

        class Shop:
            @tool
            def sell(self, item): ...

    class Fine:
        @tool
        def takes(self, other: "Fine", amount: "Unknown" = None) -> str: ...  # noqa: F821

    with pytest.raises(DefinitionError, match="'Unknown' is not known"):
        Tool.of(Fine().takes)


def test_what_cannot_carry_a_policy_is_refused():
    with pytest.raises(
        DefinitionError, match="a 'builtin_function_or_method' cannot carry a policy"
    ):
        tool(len)


def test_an_async_approval_is_refused_when_it_is_defined():
    async def ask(arguments):
        return True

    with pytest.raises(DefinitionError, match="approve="):
        tool(approve=ask)(lambda: None)
