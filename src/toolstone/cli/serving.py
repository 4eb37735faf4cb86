"""`toolstone serve`: a Responses endpoint on this machine until Ctrl-C."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

from toolstone.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolstone.local.brain import Brain
    from toolstone.local.profiles import HostProfile

__all__ = ["choose_profile", "open_brain", "serve_until_stopped"]


def open_brain(kind: str, script: Path | None, model: Path | None) -> Brain:
    """The brain that answers: a script from a file, or a real small model.

    Raises:
        InputError: The options do not fit the brain.
        ConfigError: The script, the extra or the model is missing.
    """
    if kind == "script":
        from toolstone.local.brains.script import Script  # noqa: PLC0415  only the brain in use

        if script is None:
            raise InputError("--brain script needs the script's file: toolstone serve FILE.toml")
        if model is not None:
            raise InputError("--model is for --brain llama; a script needs no model")
        return Script.load(script)
    if script is not None:
        raise InputError(
            f"{str(script)!r}: a script is for --brain script; a model is given by --model"
        )
    from toolstone.local.brains.llama import Llama  # noqa: PLC0415  only the brain in use

    return Llama(model)


def choose_profile(
    kind: Literal["mantle", "runtime", "openai"] | None, region: str | None, policy: Path | None
) -> HostProfile | None:
    """The host to behave as; None for none.

    Args:
        kind: `mantle`, `runtime` or `openai`.
        region: Its region.
        policy: A TOML file with the account: see `Account.load`.

    Raises:
        InputError: There is a region or a policy, and no host.
        ConfigError: The region or the file cannot be.
    """
    if kind is None:
        if region is not None or policy is not None:
            raise InputError("--region and --policy are of a profile: add --profile mantle")
        return None
    from toolstone.local.profiles import Account, HostProfile  # noqa: PLC0415  needs the extra

    account = Account() if policy is None else Account.load(policy)
    return HostProfile(kind, region or "us-east-1", account)


def serve_until_stopped(
    brain: Brain, *, host: str, port: int, profile: HostProfile | None = None, as_json: bool
) -> None:
    """Serve it, say where, and stop on Ctrl-C or SIGTERM.

    Raises:
        ConfigError: The extra is missing, or the address cannot be used.
    """
    from toolstone.local.server import run  # noqa: PLC0415  needs the extra

    def ready(base_url: str, _stop: Callable[[], None]) -> None:
        said = _say(base_url, brain.models) if profile is None else _say_played(base_url, profile)
        sys.stdout.write(json.dumps({"base_url": base_url}) + "\n" if as_json else said)
        sys.stdout.flush()

    run(brain, host=host, port=port, profile=profile, ready=ready)


def _say(base_url: str, models: Sequence[str]) -> str:
    model = models[0] if models else "any"
    return (
        f"Serving the Responses API at {base_url}\n"
        f'  toolstone: Agent("responses+{base_url}#{model}")\n'
        f"  others:    OPENAI_BASE_URL={base_url} OPENAI_API_KEY=none\n"
        "Ctrl-C stops it.\n"
    )


def _say_played(base_url: str, profile: HostProfile) -> str:
    """How to come in: with the example credentials of AWS's documentation, or those of the file."""
    if profile.kind == "openai":
        return (
            f"Playing OpenAI's host at {base_url}\n"
            f"  OPENAI_BASE_URL={base_url} OPENAI_API_KEY=sk-any\n"
            "Ctrl-C stops it.\n"
        )
    from toolstone.local.profiles.account import EXAMPLE  # noqa: PLC0415  needs the extra

    origin = base_url.removesuffix("/v1").removesuffix("/openai")
    key = profile.account.keys[0]
    secret = key.secret if key == EXAMPLE else "(see your file)"
    return (
        f"Playing the {profile.kind} host of {profile.region} at {origin}\n"
        f"  AWS_BEDROCK_BASE_URL={origin} AWS_REGION={profile.region}\n"
        f"  AWS_ACCESS_KEY_ID={key.id} AWS_SECRET_ACCESS_KEY={secret}\n"
        f'  toolstone: Agent("bedrock-{profile.kind}/MODEL")\n'
        "Ctrl-C stops it.\n"
    )
