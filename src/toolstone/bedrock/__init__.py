"""Amazon Bedrock: the right host, path, id, signature and parameters. Only here AWS is known."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolstone.bedrock.auth import ApiKey, MintedKey, SigV4
    from toolstone.bedrock.catalogue import Listed, list_models, list_runtime_models
    from toolstone.bedrock.choosing import ChosenAuth, choose_auth
    from toolstone.bedrock.credentials import Keys
    from toolstone.bedrock.dialect import Dialect
    from toolstone.bedrock.doctor import Finding, check_model, diagnose
    from toolstone.bedrock.endpoint import Endpoint, Wishes, resolve_endpoint
    from toolstone.bedrock.model import BedrockModel, bedrock_model

__all__ = [
    "ApiKey",
    "BedrockModel",
    "ChosenAuth",
    "Dialect",
    "Endpoint",
    "Finding",
    "Keys",
    "Listed",
    "MintedKey",
    "SigV4",
    "Wishes",
    "bedrock_model",
    "check_model",
    "choose_auth",
    "diagnose",
    "list_models",
    "list_runtime_models",
    "resolve_endpoint",
]

_HOMES = {
    "auth": ("ApiKey", "MintedKey", "SigV4"),
    "choosing": ("ChosenAuth", "choose_auth"),
    "catalogue": ("Listed", "list_models", "list_runtime_models"),
    "credentials": ("Keys",),
    "dialect": ("Dialect",),
    "doctor": ("Finding", "check_model", "diagnose"),
    "endpoint": ("Endpoint", "Wishes", "resolve_endpoint"),
    "model": ("BedrockModel", "bedrock_model"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415  only when a name is asked for

    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
