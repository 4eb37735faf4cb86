"""From a model string to a model. Nothing is opened before the first request."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import ConfigError, DefinitionError

if TYPE_CHECKING:
    from toolstone.chat import ChatCompletions
    from toolstone.ports import Model
    from toolstone.responses.client import Responses

__all__ = ["check_model_string", "resolve_model"]

_FORMS: Final = (
    "'bedrock/openai.gpt-oss-120b@us-east-1', 'local/smollm2', 'openai/MODEL' or "
    "'responses+https://host/v1#MODEL', "
    "or give a model object such as Responses(base_url=..., api_key=..., model=...)"
)
_BEDROCK: Final = ("bedrock", "bedrock-mantle", "bedrock-runtime")
_PROTOCOLS: Final = ("responses", "chat")
_SERVER: Final = re.compile(r"(?P<scheme>[^+/#]+)\+https?://[^#]+#.+")


def check_model_string(name: str) -> None:
    """Refuse a model string that cannot be, without opening anything.

    Raises:
        ConfigError: A Bedrock model or its region is malformed, or a URL holds a password or query.
        DefinitionError: It has none of the known forms.
    """
    server = _SERVER.match(name)
    if server is not None:
        _check_scheme(server["scheme"])
        if re.search(r"[?@]", name.partition("#")[0]):
            raise ConfigError(
                f"model string of {len(name)} characters: its URL has a user, a password or a "
                "query; a key is given as api_key= to Responses(base_url=..., model=...)"
            )
        return
    if re.fullmatch(r"(local|openai)/.+", name):
        return
    if name.partition("/")[0] in _BEDROCK:
        from toolstone.bedrock.names import parse_name  # noqa: PLC0415  loads no AWS library

        parse_name(name)
        return
    shown = f"string of {len(name)} characters" if re.search(r"[?@]|://", name) else repr(name)
    raise DefinitionError(f"model {shown} is not understood; write {_FORMS}")


def resolve_model(name: str) -> Model:
    """The model that a string names.

    Raises:
        ConfigError: A key, a region or an extra is missing.
        DefinitionError: The string has none of the known forms.
    """
    check_model_string(name)
    server = _SERVER.match(name)
    if server is not None:
        return _server_model(name, server["scheme"])
    scheme, _, rest = name.partition("/")
    if scheme == "local":
        from toolstone.local.spawn import endpoint  # noqa: PLC0415  starts a child: first use only

        return _known("local", base_url=endpoint(rest), api_key="local", model=rest)
    if scheme in _BEDROCK:
        from toolstone.bedrock.model import bedrock_model  # noqa: PLC0415  loads no AWS library yet

        return bedrock_model(name)
    from toolstone.bedrock.ambient import ambient_model  # noqa: PLC0415

    return ambient_model(rest, os.environ) or _openai(rest)


def _check_scheme(scheme: str) -> None:
    if scheme in _PROTOCOLS:
        return
    from toolstone.bedrock.dialect import Dialect  # noqa: PLC0415  a table: first use only

    known = (*_PROTOCOLS, *Dialect.load().endpoints())
    if scheme not in known:
        raise DefinitionError(
            f"model string {scheme + '+...'!r}: no such kind of server; write one of "
            f"{', '.join(known)} before '+https://host/v1#MODEL' ('responses' and 'chat' are the "
            "two protocols as they are written)"
        )


def _server_model(name: str, scheme: str) -> Model:
    """The client for `SCHEME+http://host:port/v1#MODEL`; no variable of the environment is read."""
    from toolstone.responses.address import parse_model_string  # noqa: PLC0415

    base_url, model = parse_model_string(name, scheme)
    if scheme in _PROTOCOLS:
        return _client(scheme, base_url=base_url, model=model)
    return _known(scheme, base_url=base_url, model=model)


def _known(server: str, **client: Any) -> Model:
    """The client for a server that the table knows, by the protocol that it speaks best."""
    from toolstone.bedrock.dialect import Dialect  # noqa: PLC0415

    dialect = Dialect.load()
    api = dialect.endpoint(server).get("api", "responses")
    model = _client(api, profile=dialect.profile(server), **client)
    model.failures = dialect.failures_of(server)
    return model


def _client(api: str, **client: Any) -> Responses | ChatCompletions:
    if api == "chat":
        from toolstone.chat import ChatCompletions  # noqa: PLC0415  loads no HTTP library yet

        return ChatCompletions(**client)
    from toolstone.responses.client import Responses  # noqa: PLC0415

    return Responses(**client)


def _openai(model: str) -> Model:
    from toolstone.bedrock.dialect import Dialect  # noqa: PLC0415
    from toolstone.responses.strings import openai_model  # noqa: PLC0415

    return openai_model(model, profile=Dialect.load().profile("openai"))
