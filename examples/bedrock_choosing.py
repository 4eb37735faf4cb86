"""What you wish for decides the host, and what the table has against your choice is told.

Nothing is asked here: where a model is reached is worked out from its name, a region and wishes.

Prints:
    runtime  us.openai.gpt-5.6-terra      /openai/v1
    mantle   openai.gpt-5.6-terra         /openai/v1
    runtime  global.openai.gpt-5.6-terra  /openai/v1
    runtime  openai.gpt-oss-120b-1:0      /openai/v1
      openai.gpt-oss-120b is not known to answer Responses on runtime: write 'bedrock-mantle/openai.gpt-oss-120b', or ask for Chat Completions: Wishes(api='chat')
"""  # noqa: E501  a line that is printed is as long as it is

from toolstone.bedrock import Wishes, resolve_endpoint

CASES = [
    ("bedrock/openai.gpt-5.6-terra", Wishes()),
    ("bedrock/openai.gpt-5.6-terra", Wishes(background=True)),  # the mantle host alone has it
    ("bedrock/openai.gpt-5.6-terra", Wishes(residency="global")),  # cheaper, may run anywhere
    ("bedrock-runtime/openai.gpt-oss-120b", Wishes()),  # forced, against the table
]

for model, wishes in CASES:
    found = resolve_endpoint(model, region="us-east-1", wishes=wishes)
    print(f"{found.host:7}  {found.model:27}  {found.prefix}")
    for warning in found.warnings:
        print(f"  {warning}")
