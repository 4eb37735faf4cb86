"""`toolstone serve`: a Responses endpoint on this machine until Ctrl-C."""

from __future__ import annotations

import json
import sys
from dataclasses import field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from toolstone._dataclass import dataclass
from toolstone.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolstone.cli.brains import BrainPlan
    from toolstone.local.profiles import HostProfile

__all__ = ["Place", "choose_profile", "serve_faults", "serve_until_stopped"]


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is served, to whom, and what is remembered.

    Args:
        host: The address; other than loopback only with a key.
        port: 0 takes a free one.
        api_key: What clients must send.
        store: The SQLite file that responses are kept in; None: in memory.
        workers: Processes that answer.
    """

    host: str
    port: int
    api_key: str | None = field(default=None, repr=False)
    store: Path | None = None
    workers: int = 1


def serve_until_stopped(
    brain: BrainPlan, place: Place, *, profile: HostProfile | None = None, as_json: bool
) -> None:
    """Serve it, say where, and stop on Ctrl-C or SIGTERM.

    Raises:
        InputError: There is no such function.
        ConfigError: The extra, a file or a key is missing, or the address cannot be used.
    """
    from toolstone.local.server import run  # noqa: PLC0415  needs the extra

    several = place.workers > 1
    if several and place.store is None:
        raise InputError("--workers share what they remember: add --store FILE")
    # A model is large, and each worker loads its own; of the rest, what is wrong is said here.
    made = None if several and brain.chosen == "llama" else brain()
    names = made.models if made is not None else ()

    def ready(base_url: str, _stop: Callable[[], None]) -> None:
        if profile is not None:
            said = _say_played(base_url, profile)
        else:
            said = _say(base_url, names, place)
        sys.stdout.write(json.dumps({"base_url": base_url}) + "\n" if as_json else said)
        sys.stdout.flush()

    run(
        brain if several or made is None else made,
        host=place.host,
        port=place.port,
        profile=profile,
        api_key=place.api_key,
        store=place.store,
        workers=place.workers,
        ready=ready,
    )


def _say(base_url: str, models: Sequence[str], place: Place) -> str:
    key = place.api_key is not None
    model = models[0] if models else "any"
    mine = f'Responses(base_url="{base_url}", model="{model}", api_key=...)'
    ours = mine if key else f'Agent("responses+{base_url}#{model}")'
    return (
        f"Serving the Responses API at {base_url}\n"
        f"  toolstone: {ours}\n"
        f"  others:    OPENAI_BASE_URL={base_url} OPENAI_API_KEY={'...' if key else 'none'}\n"
        f"{_say_elsewhere(base_url, place.host)}"
        "Ctrl-C stops it.\n"
    )


def _say_elsewhere(base_url: str, host: str) -> str:
    """How other machines come in, where every address of this one is listened on."""
    if host not in ("0.0.0.0", "::"):  # noqa: S104  compared alone
        return ""
    return f"  elsewhere: http://THIS-MACHINE:{base_url.rpartition(':')[2]}\n"


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


def serve_faults(
    plan: BrainPlan, place: Place, *, profile: HostProfile | None, as_json: bool
) -> None:
    """Serve the peer that fails, until Ctrl-C.

    Raises:
        InputError: Something is given that is for an endpoint that answers.
        ConfigError: The address cannot be used.
    """
    given = [getattr(plan, one.name) for one in fields(plan)]
    more = [profile, place.store, None if place.workers == 1 else place.workers]
    if any(one is not None for one in (*given, *more)):
        raise InputError("--faults has its own answers: beside it only --host, --port and --json")
    from toolstone.testing.faults.serving import serve  # noqa: PLC0415  only here

    serve(host=place.host, port=place.port, pace=1.0, as_json=as_json)
