"""Without an agent: one request to an endpoint, and your own loop around `dispatch`.

The endpoint is the scripted one on this machine; any other is a base URL away.

Prints:
    It is 21.5 degrees. after 3 items
"""

import asyncio

from toolstone import Request, Responses, Tool, dispatch, user
from toolstone.local import Script, call, serve


def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return {"Paris": 21.5}[city]


async def nobody(_deltas: object) -> None:
    """Where deltas would go, if somebody watched."""


async def main(base_url: str) -> None:
    """Ask, call, ask again."""
    model = Responses(base_url=base_url, api_key="none", model="any")
    tools = (Tool.of(weather).spec,)
    items = [user("How warm is it in Paris?")]
    response = await model.respond(Request(items, tools=tools), nobody)
    while response.calls:
        outputs = await dispatch(response.calls, [weather])
        items = [*items, *response.items, *outputs]  # type: ignore[list-item]
        response = await model.respond(Request(items, tools=tools), nobody)
    print(response.text, "after", len(items), "items")
    await model.aclose()


with serve(Script([call("weather", city="Paris"), "It is 21.5 degrees."])) as endpoint:
    asyncio.run(main(endpoint.base_url))
