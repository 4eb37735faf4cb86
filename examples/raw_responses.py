"""Without an agent: requests, your own loop around `dispatch`, and the rest of the API.

The endpoint is the one on this machine; any other is a base URL away.

Prints:
    It is 21.5 degrees. after 3 items
    response.created ... response.completed
    stored: It still is.
    models: any
    counted: True
"""

import asyncio

from toolstone import Request, Responses, Tool, dispatch, user
from toolstone.local import Script, call, serve


def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return {"Paris": 21.5}[city]


async def nobody(_deltas: object) -> None:
    """Where deltas would go, if somebody watched."""


async def ask(model: Responses) -> None:
    """Ask, call, ask again."""
    tools = (Tool.of(weather).spec,)
    items = [user("How warm is it in Paris?")]
    response = await model.respond(Request(items, tools=tools), nobody)
    while response.calls:
        outputs = await dispatch(response.calls, [weather])
        items = [*items, *response.items, *outputs]  # type: ignore[list-item]
        response = await model.respond(Request(items, tools=tools), nobody)
    print(response.text, "after", len(items), "items")


async def look_around(model: Responses) -> None:
    """Bodies of your own, events as the server says them, and what it keeps."""
    async with model.stream(input="And now?", store=True) as events:
        kinds = [event["type"] async for event in events]
        response = await events.response()
    print(kinds[0], "...", kinds[-1])

    stored = await model.retrieve(response.id)
    print("stored:", stored.text)
    await model.delete(response.id)

    print("models:", *[card.id for card in await model.models()])
    print("counted:", (await model.count_tokens(input="And now?")).exact)


async def main(base_url: str) -> None:
    """One client for all of it; its connections close with the block."""
    async with Responses(base_url=base_url, api_key="none", model="any") as model:
        await ask(model)
        await look_around(model)


script = Script(
    [call("weather", city="Paris"), "It is 21.5 degrees.", "It still is."], by="sequence"
)
with serve(script) as endpoint:
    asyncio.run(main(endpoint.base_url))
