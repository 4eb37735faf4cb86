"""The commands of `toolstone`, their options, and nothing else."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolstone import __version__
from toolstone.cli.extract.command import extract
from toolstone.cli.failures import FAILED, reported
from toolstone.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.parts import Part

__all__ = ["app", "run"]

app = typer.Typer(
    name="toolstone",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Function-calling agents over the Responses API.",
    epilog=(
        "Exit codes: 0 done, 1 the run or its set-up failed, 2 a mistake in the command, "
        "3 the run waits for somebody, 130 stopped by Ctrl-C."
    ),
)

Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", help="Keep sessions in this SQLite file.", dir_okay=False),
]
Paths = Annotated[
    list[Path] | None, typer.Option(metavar="PATH", help="To be looked at, once for each.")
]
Target = Annotated[str, typer.Argument(metavar="MODULE:AGENT", help="Or FILE.py:AGENT.")]


def run() -> int:
    """Run the command line; the return value is the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot say "é" is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="toolstone")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else FAILED
    return 0


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def toolstone(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Function-calling agents over the Responses API."""


@app.command("run")
def run_agent(  # noqa: PLR0913  each is an option
    target: Target,
    text: Annotated[str | None, typer.Argument(help="What to say; '-' reads stdin.")] = None,
    *,
    image: Paths = None,
    file: Paths = None,
    session: Annotated[str | None, typer.Option(help="The session's name.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    approve: Annotated[
        list[str] | None, typer.Option(metavar="CALL", help="Let a waiting call run: 0.1")
    ] = None,
    deny: Annotated[
        list[str] | None, typer.Option(metavar="CALL", help="Do not let it run.")
    ] = None,
    ledger: Ledger = None,
    as_json: AsJSON = False,
    debug: Debug = False,
) -> None:
    """Run an agent once: say TEXT and see how it goes."""
    from toolstone.cli.once import run_once  # noqa: PLC0415  each command loads what it needs

    with reported(debug=debug):
        said = _text(text, session, resume=resume, rulings=bool(approve or deny))
        code = run_once(
            target,
            _with_parts(said, image or (), file or ()),
            session=session,
            approve=approve or (),
            deny=deny or (),
            file=ledger,
            as_json=as_json,
            debug=debug,
        )
        raise typer.Exit(code)


def _with_parts(
    text: str | None, images: Sequence[Path], files: Sequence[Path]
) -> str | list[str | Part] | None:
    """The text, and what is to be looked at beside it."""
    if not images and not files:
        return text
    if text is None:
        raise InputError("--image and --file go along with something that is said; give TEXT")
    from toolstone.parts import File, Image  # noqa: PLC0415  for who gives one

    return [text, *(Image(path=path) for path in images), *(File(path=path) for path in files)]


def _text(text: str | None, session: str | None, *, resume: bool, rulings: bool) -> str | None:
    """What to say; None to go on with a session."""
    if resume and text is not None:
        raise InputError("--resume goes on without saying anything new; leave TEXT out")
    if resume and session is None:
        raise InputError("--resume needs the session's name: --session NAME")
    if rulings and not resume:
        raise InputError("--approve and --deny are about a session that waits: add --resume")
    if not resume and text is None:
        raise InputError("say something: toolstone run MODULE:AGENT TEXT; '-' reads stdin")
    return sys.stdin.read() if text == "-" else text


@app.command()
def chat(
    target: Target,
    session: Annotated[str | None, typer.Option(help="Keep the chat under this name.")] = None,
    ledger: Ledger = None,
    debug: Debug = False,
) -> None:
    """Talk with an agent; it asks before calls that need approval. /quit ends it."""
    from toolstone.cli.chatting import chat_with  # noqa: PLC0415  each command loads what it needs

    with reported(debug=debug):
        chat_with(target, session=session, file=ledger, debug=debug)


@app.command()
def tools(
    target: Annotated[str, typer.Argument(metavar="MODULE[:NAME]", help="Or FILE.py[:NAME].")],
    as_json: AsJSON = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Strict or not, why, and the schema.")
    ] = False,
    debug: Debug = False,
) -> None:
    """List the tools of a module as a model sees them."""
    from toolstone.cli.listing import describe_tool, find_tools, put_tool  # noqa: PLC0415

    with reported(debug=debug):
        found = find_tools(target)
        for n, tool in enumerate(found):
            if as_json:
                typer.echo(json.dumps(describe_tool(tool), ensure_ascii=False))
            else:
                typer.echo(("\n" if n else "") + put_tool(tool, explain=explain, bold=_bold))


def _bold(text: str) -> str:
    return typer.style(text, bold=True) if sys.stdout.isatty() else text


class BrainName(StrEnum):
    """The brains there are."""

    script = "script"
    llama = "llama"
    proxy = "proxy"
    function = "function"


class ProfileName(StrEnum):
    """The hosts that an endpoint can behave as."""

    mantle = "mantle"
    runtime = "runtime"
    openai = "openai"


class BedrockHost(StrEnum):
    """The hosts that list models."""

    mantle = "mantle"
    runtime = "runtime"


Region = Annotated[str | None, typer.Option(help="An AWS region; else AWS_REGION.")]


@app.command()
def doctor(
    model: Annotated[
        str | None,
        typer.Argument(help="A model string; else TOOLSTONE_MODEL, or a model of Bedrock's."),
    ] = None,
    *,
    region: Region = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also probe streams, calls, schemas, stored responses.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody.")] = False,
    aws: Annotated[
        bool | None,
        typer.Option(help="Ask STS, Service Quotas and the service API; by the endpoint."),
    ] = None,
    as_json: AsJSON = False,
    debug: Debug = False,
) -> None:
    """Find out why a model on Bedrock does not answer, and what to do about it."""
    from toolstone.cli.doctor import see_doctor, usual_model  # noqa: PLC0415  only this command

    with reported(debug=debug):
        code = see_doctor(
            model or usual_model(),
            region=region,
            deep=deep,
            offline=offline,
            aws=aws,
            as_json=as_json,
        )
        raise typer.Exit(code)


@app.command()
def models(
    *,
    region: Region = None,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="Every region that has the host.")
    ] = False,
    host: Annotated[
        BedrockHost, typer.Option(help="Whose; runtime's through boto3.")
    ] = BedrockHost.mantle,
    responses: Annotated[
        bool, typer.Option("--responses", help="Only those with the Responses API.")
    ] = False,
    as_json: AsJSON = False,
    debug: Debug = False,
) -> None:
    """List the models that Bedrock has in a region."""
    from toolstone.cli.models import see_models  # noqa: PLC0415  each command loads what it needs

    with reported(debug=debug):
        code = see_models(
            host.value,
            region=region,
            all_regions=all_regions,
            responses=responses,
            as_json=as_json,
        )
        raise typer.Exit(code)


@app.command()
def serve(  # noqa: PLR0913  its options
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="FILE.toml for --brain script, MODULE:FUNCTION for --brain function.",
        ),
    ] = None,
    *,
    brain: Annotated[
        BrainName | None, typer.Option(help="Who answers; llama, or proxy with --to.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Any other model, for --brain llama: FILE.gguf")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Ask this model; TOOLSTONE_TO_API_KEY is its server's key."
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep every exchange in this cassette.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answer from this cassette, offline.")
    ] = None,
    profile: Annotated[
        ProfileName | None, typer.Option(help="Behave as this host does; the region is --region.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Of the profile; us-east-1.")] = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Of the profile: keys, IAM policies, quotas."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="A loopback address; any other needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="TOOLSTONE_API_KEY", help="Clients must send it.", show_envvar=True),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Remember responses in this SQLite file.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; needs --store.")] = 1,
    faults: Annotated[
        bool, typer.Option("--faults", help="Fail instead, as the base URL says: .../H07/v1")
    ] = False,
    as_json: AsJSON = False,
    debug: Debug = False,
) -> None:
    """Serve the Responses API on this machine, plain or as one of Bedrock's hosts."""
    from toolstone.cli.brains import BrainPlan  # noqa: PLC0415  each command loads what it needs
    from toolstone.cli.serving import (  # noqa: PLC0415
        Place,
        choose_profile,
        serve_faults,
        serve_until_stopped,
    )

    with reported(debug=debug):
        played = choose_profile(profile.value if profile else None, region, policy)
        plan = BrainPlan(brain.value if brain else None, target, model, to, record, replay)
        place = Place(host, port, api_key, store, workers)
        if faults:
            serve_faults(plan, place, profile=played, as_json=as_json)
        else:
            serve_until_stopped(plan, place, profile=played, as_json=as_json)


app.command()(extract)


@app.command()
def demo(
    request: Annotated[str | None, typer.Option(help="Ask this instead.")] = None,
    as_json: AsJSON = False,
    debug: Debug = False,
) -> None:
    """Watch a real small model call two Python functions at once, on this machine."""
    from toolstone.cli.demo import show_demo  # noqa: PLC0415  each command loads what it needs

    with reported(debug=debug):
        raise typer.Exit(show_demo(request, as_json=as_json, debug=debug))
