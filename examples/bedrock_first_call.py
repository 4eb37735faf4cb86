"""A model on Amazon Bedrock by its name: host, path, id and signature are seen to.

It needs a region (AWS_REGION) and AWS credentials, or a Bedrock API key in
AWS_BEARER_TOKEN_BEDROCK; `toolstone doctor` says what is missing. The numbers are what a model
answered that was asked for no more than the tools returned.

Prints:
    city='Paris' temp_c=14.5 population=2103000
    openai.gpt-oss-120b on mantle, under /v1
"""

from pydantic import BaseModel

from toolstone import Agent
from toolstone.bedrock import resolve_endpoint


class Report(BaseModel):
    """What is known of a city."""

    city: str
    temp_c: float
    population: int


async def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return {"Paris": 14.5, "Oslo": 3.2}[city]


def population(city: str) -> int:
    """Number of inhabitants."""
    return {"Paris": 2_103_000, "Oslo": 717_000}[city]


MODEL = "bedrock/openai.gpt-oss-120b"
agent = Agent(MODEL, tools=[weather, population], output=Report)
print(agent.run_sync("Report on Paris").output)

endpoint = resolve_endpoint(MODEL)
print(f"{endpoint.model} on {endpoint.host}, under {endpoint.prefix}")
