"""The doctor as a function: what is wrong with a set-up, and the next step, as data.

Prints:
    fail model: openai.gpt-oss-120b does not answer Responses on the runtime host
      write 'bedrock-mantle/openai.gpt-oss-120b'
    warn capability: top_p='0.9' is refused by openai.gpt-5.6-terra on mantle (it takes nothing)
      leave it out, take another value, or another host or model
    request: pass
"""

import asyncio

from toolstone import Settings
from toolstone.bedrock.doctor import Finding, check_model, diagnose

SETTINGS = Settings(top_p=0.9)


def put(findings: tuple[Finding, ...]) -> None:
    """Show what is not as it should be."""
    for one in findings:
        if one.status in ("warn", "fail"):
            print(f"{one.status} {one.check}: {one.seen}\n  {one.next}")


async def main() -> None:
    """Offline first, then with the smallest request there is."""
    put(check_model("bedrock-runtime/openai.gpt-oss-120b@us-east-1"))
    put(check_model("bedrock-mantle/openai.gpt-5.6-terra@us-east-1", settings=SETTINGS))
    async for one in diagnose("bedrock-mantle/openai.gpt-oss-120b", ask_aws=False):
        if one.check == "request":
            print(f"{one.check}: {one.status}")


asyncio.run(main())
