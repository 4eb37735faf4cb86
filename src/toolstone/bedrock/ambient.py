"""`OPENAI_BASE_URL` and `OPENAI_API_KEY` that mean Bedrock, as AWS's pages tell users to set them.

Two keys must never meet the wrong host: OpenAI's (`sk-…`) does not go to AWS, and Bedrock's
(`ABSK…`, `bedrock-api-key-…`) goes to nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from toolstone._secrets import Hidden, Variables
from toolstone.bedrock.choosing import looks_like_bedrock_key
from toolstone.bedrock.model import BedrockModel, ClientOptions, bedrock_model
from toolstone.bedrock.names import known_host
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ambient_model"]


def ambient_model(
    name: str, environment: Mapping[str, str], **client: Unpack[ClientOptions]
) -> BedrockModel | None:
    """The model for `openai/NAME`, if OpenAI's variables mean Bedrock; None if they do not.

    Args:
        name: The model's name, as the variables' URL knows it.
        environment: Variables.
        **client: As for `bedrock_model`.

    Raises:
        ConfigError: The key and the URL belong to different services; neither was used.
    """
    environment = Variables(environment)
    base = environment.get("OPENAI_BASE_URL", "").strip()
    key = Hidden(environment.get("OPENAI_API_KEY", "").strip())
    if known_host(base) is None:
        if looks_like_bedrock_key(key):
            raise ConfigError(
                "OPENAI_API_KEY holds a Bedrock key, and OPENAI_BASE_URL is not Bedrock's: it was "
                "not sent there. Write 'bedrock/MODEL', or set OPENAI_BASE_URL to "
                "https://bedrock-mantle.REGION.api.aws/v1"
            )
        return None
    if key.startswith("sk-"):
        raise ConfigError(
            "OPENAI_BASE_URL is Bedrock's, and OPENAI_API_KEY begins with 'sk-': that is OpenAI's "
            "key, and it does not go to AWS. Set OPENAI_API_KEY to a Bedrock key, or unset it to "
            "use AWS credentials"
        )
    return bedrock_model(f"bedrock/{name}", endpoint=base, api_key=key or None, **client)
