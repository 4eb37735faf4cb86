"""From a model string to a model. Nothing is opened before the first request."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from toolstone.ports import Model

__all__ = ["check_model_string", "resolve_model"]

_FORMS = (
    "'bedrock/openai.gpt-oss-120b@us-east-1', 'local/smollm2', 'openai/MODEL' or "
    "'responses+https://host/v1#MODEL', "
    "or give a model object such as Responses(base_url=..., api_key=..., model=...)"
)
_BEDROCK = ("bedrock", "bedrock-mantle", "bedrock-runtime")


def check_model_string(name: str) -> None:
    """Refuse a model string that cannot be, without opening anything.

    Raises:
        ConfigError: A Bedrock model or its region is malformed.
        DefinitionError: It has none of the known forms.
    """
    if re.match(r"responses\+https?://[^#]+#.+", name) or re.fullmatch(r"(local|openai)/.+", name):
        return
    if name.partition("/")[0] in _BEDROCK:
        from toolstone.bedrock.names import parse_name  # noqa: PLC0415  loads no AWS library

        parse_name(name)
        return
    raise DefinitionError(f"model {name!r} is not understood; write {_FORMS}")


def resolve_model(name: str) -> Model:
    """The model that a string names.

    Raises:
        ConfigError: A key, a region or an extra is missing.
        DefinitionError: The string has none of the known forms.
    """
    check_model_string(name)
    scheme, _, rest = name.partition("/")
    if scheme == "local":
        from toolstone.local.spawn import endpoint  # noqa: PLC0415  starts a child: first use only
        from toolstone.responses.client import Responses  # noqa: PLC0415

        return Responses(base_url=endpoint(rest), api_key="local", model=rest)
    if scheme in _BEDROCK:
        from toolstone.bedrock.model import bedrock_model  # noqa: PLC0415  loads no AWS library yet

        return bedrock_model(name)
    from toolstone.responses import strings  # noqa: PLC0415  loads no HTTP library yet

    if scheme == "openai":
        from toolstone.bedrock.ambient import ambient_model  # noqa: PLC0415

        return ambient_model(rest, os.environ) or strings.openai_model(rest)
    return strings.responses_model(name)
