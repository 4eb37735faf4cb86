"""Model strings that name an endpoint: `responses+http://host:port/v1#MODEL`, `openai/MODEL`."""

from __future__ import annotations

import os
from typing import Any

from toolstone._secrets import Variables
from toolstone.responses.address import openai_settings, parse_model_string
from toolstone.responses.client import Responses

__all__ = ["openai_model", "responses_model"]


def responses_model(text: str, **settings: Any) -> Responses:
    """The client for `responses+http://host:port/v1#MODEL`; settings as for `Responses`.

    No variable of the environment is read: a key is given as `api_key=`.

    Raises:
        ConfigError: The string or a setting cannot be.
    """
    base_url, model = parse_model_string(text)
    return Responses(model=model, base_url=base_url, **settings)


def openai_model(name: str, **settings: Any) -> Responses:
    """The client for `openai/NAME`, by `OPENAI_API_KEY` and, if set, `OPENAI_BASE_URL`.

    These two count here and nowhere else.

    Raises:
        ConfigError: The key is missing, or a value cannot be.
    """
    base_url, key = openai_settings(Variables(os.environ))
    return Responses(model=name, base_url=base_url, api_key=key, **settings)
