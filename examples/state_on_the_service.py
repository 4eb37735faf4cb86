"""The service keeps the conversation: each turn sends only what is new, and names what went before.

Nothing depends on it: where the service has forgotten, the whole history is sent once more.

Prints:
    Hello, Ada.
    sent 1 item after an earlier response
    Your name is Ada.
"""

from toolstone import Agent, Settings
from toolstone.local import Script, serve

script = Script(["Hello, Ada.", "Your name is Ada."], by="conversation")
with serve(script) as endpoint:
    agent = Agent(f"responses+{endpoint.base_url}#any", settings=Settings(state="server"))
    print(agent.run_sync("I am Ada.", session="ada").output)

    result = agent.run_sync("Who am I?", session="ada")
    (sent,) = result.requests
    earlier = "an earlier response" if sent["previous_response_id"] else "nothing"
    print("sent", len(sent["input"]), "item after", earlier)
    print(result.output)
