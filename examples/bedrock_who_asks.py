"""Three ways to say who asks: a signature, a key minted here, a key from somewhere else.

All three are made from the AWS credentials that botocore finds, so that this runs wherever
`aws sts get-caller-identity` does; a key that you were given goes into ApiKey, or just into
AWS_BEARER_TOKEN_BEDROCK.

Prints:
    SigV4: answered
    MintedKey: answered
    ApiKey: answered
"""

import asyncio
import os

from toolstone import Agent
from toolstone.bedrock import ApiKey, MintedKey, SigV4, bedrock_model

REGION = os.environ.get("AWS_REGION", "us-east-1")
minted = MintedKey(REGION)


async def fetch_key() -> str:
    """A key from a vault of yours; here it is one that was just minted."""
    headers = await minted.headers("POST", "https://bedrock.amazonaws.com/", {}, b"")
    return headers["authorization"].removeprefix("Bearer ")


async def main() -> None:
    """Ask the same three times."""
    for auth in (SigV4(REGION, "bedrock-mantle"), minted, ApiKey(fetch_key)):
        model = bedrock_model("bedrock/openai.gpt-oss-120b", region=REGION, auth=auth)
        async with Agent(model) as agent:
            result = await agent.run("Say hello.")
        print(f"{type(auth).__name__}: {'answered' if result.output else 'silent'}")


asyncio.run(main())
