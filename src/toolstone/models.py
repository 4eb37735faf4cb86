"""From a model string to a model. Nothing is opened before the first request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from toolstone.ports import Model

__all__ = ["check_model_string", "resolve_model"]

_FORMS = (
    "'local/smollm2', 'openai/MODEL' or 'responses+https://host/v1#MODEL', "
    "or give a model object such as Responses(base_url=..., api_key=..., model=...)"
)


def check_model_string(name: str) -> None:
    """Refuse a model string that cannot be, without opening anything.

    Raises:
        DefinitionError: It has none of the known forms.
    """
    if re.match(r"responses\+https?://[^#]+#.+", name) or re.fullmatch(r"(local|openai)/.+", name):
        return
    if name.startswith("bedrock"):
        raise DefinitionError(
            f"model {name!r}: the bedrock profiles are not part of this version; give the endpoint "
            "itself: 'responses+https://bedrock-mantle.REGION.api.aws/v1#MODEL' with api_key="
        )
    raise DefinitionError(f"model {name!r} is not understood; write {_FORMS}")


def resolve_model(name: str) -> Model:
    """The model that a string names.

    Raises:
        ConfigError: A key or an extra is missing.
        DefinitionError: The string has none of the known forms.
    """
    check_model_string(name)
    scheme, _, rest = name.partition("/")
    if scheme == "local":
        from toolstone.local.spawn import endpoint  # noqa: PLC0415  starts a child: first use only
        from toolstone.responses.client import Responses  # noqa: PLC0415

        return Responses(base_url=endpoint(rest), api_key="local", model=rest)
    from toolstone.responses import strings  # noqa: PLC0415  loads no HTTP library yet

    if scheme == "openai":
        return strings.openai_model(rest)
    return strings.responses_model(name)
