"""Tools that the service runs itself, beside your own functions; and one that asks you first.

Prints:
    sent: ['web_search', 'mcp', 'function']
    waiting: mcp_approval_request {'name': 'delete_page', 'server_label': 'wiki'}
    It rains in Paris; nothing was deleted.
    web_search_call is in the result: True
"""

from toolstone import Agent, ServerTool
from toolstone.testing import Scripted, call


def temperature(city: str) -> float:
    """Temperature in Celsius."""
    return {"Paris": 14.5}[city]


search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
wish = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "server_label": "wiki",
    "name": "delete_page",
    "arguments": "{}",
}
model = Scripted(
    [search, call("temperature", city="Paris"), wish], "It rains in Paris; nothing was deleted."
)
agent = Agent(
    model,
    tools=[
        ServerTool("web_search", search_context_size="low"),
        {"type": "mcp", "server_label": "wiki", "server_url": "https://wiki.example/mcp"},
        temperature,
    ],
)

waiting = agent.run_sync("Weather in Paris? And tidy up the wiki", session="s")
sent = [spec.raw["type"] if spec.raw else "function" for spec in model.requests[0].tools]
print("sent:", sent)
for one in waiting.waiting:
    asked = one.item.raw if one.item else {}
    print(f"waiting: {one.name}", {key: asked[key] for key in ("name", "server_label")})
    agent.deny_sync("s", one, reason="nothing is to be deleted")

result = agent.resume_sync("s")
print(result.output)
print("web_search_call is in the result:", any(i.type == "web_search_call" for i in result.items))
