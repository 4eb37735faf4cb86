"""Block K: no key in any channel, and each protection is missed where it is taken away."""

import faulthandler
import os

import pytest
from campaigns import _outside, _signing, _spills
from campaigns._canaries import CONTENT, ENCODINGS, Canaries, written
from campaigns._echoes import KINDS, echoing
from campaigns._mistakes import mistakes
from campaigns.secrets import judge

from toolstone import _secrets
from toolstone.cli import failures as cli_failures
from toolstone.local import gate, spawn
from toolstone.local.cassettes import keep
from toolstone.observers.console import Console
from toolstone.responses import address, service
from toolstone.tools import telling
from toolstone.wire import failed, httpx_transport

SEED = 5
FEW = ("K11-bad", "K11-broken", "K11-cut", "K11-json", "K11-utf8", "K11-header", "K11-failed")


@pytest.fixture(scope="module")
def peer():
    with echoing() as there:
        yield there


@pytest.fixture
def marks():
    return Canaries(SEED)


def check(marks, spills):
    """Nothing leaks; what was looked at is given back."""
    verdict = judge(marks, spills)
    assert not verdict.leaks, sorted(verdict.leaks)[:20]
    return verdict.channels


def leaks(marks, spills):
    """What leaks, with a protection taken away: channels and marks."""
    verdict = judge(marks, spills)
    with pytest.raises(AssertionError):
        assert not verdict.leaks
    return {(channel, mark) for channel, mark, _ in verdict.leaks}


# ------------------------------------------------------------------------------------ the scanner


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_mark_is_found_in_every_encoding(encoding, marks):
    for name, value in marks.values.items():
        if encoding == "split":
            ways = [
                f"[b'{value[:7]}', b'{value[7:15]}', b'{value[15:]}']",
                value[: len(value) // 2],
            ]
        else:
            ways = written(value, encoding)
        for way in ways:
            assert name in {mark for mark, _ in marks.found(f"before {way} after")}, way


def test_nothing_is_found_where_nothing_is(marks):
    assert not marks.found("a text that holds no mark at all, only words; " * 50)


def test_there_are_six_secrets_and_forty_channels_and_four_encodings(marks, peer):
    channels = check(marks, _spills.objects(marks))

    assert len(set(marks.values) - CONTENT) >= 6
    assert (len(channels) >= 40, len(ENCODINGS) >= 4) == (True, True)


# ------------------------------------------------------------------------------------ what is shown


def test_k01_objects_show_no_secret(marks):
    channels = check(marks, _spills.objects(marks))

    assert {"client: repr", "credentials, AWS's: vars", "request: format"} <= set(channels)


def test_k01_without_the_opaque_repr_it_is_found(marks, monkeypatch):
    monkeypatch.setattr(_secrets.Hidden, "__repr__", str.__repr__)

    assert ("credentials, bearer: vars", "API key") in leaks(marks, _spills.objects(marks))


def test_k02_without_the_refusal_to_be_pickled_it_is_found(marks, monkeypatch):
    monkeypatch.delattr(_secrets.Hidden, "__reduce_ex__")

    found = leaks(marks, _spills.objects(marks))

    assert ("request: pickle", "API key") in found


def test_k14_mistakes_are_told_without_the_keys_in_them(marks):
    channels = check(marks, mistakes(marks))

    assert {"mistake user in a URL: str", "mistake key in a query: traceback"} <= set(channels)


def test_k14_without_care_a_url_is_shown_whole(marks, monkeypatch):
    monkeypatch.setattr(address, "_shown", lambda parts: parts.geturl())

    assert ("mistake user in a URL: str", "proxy password") in leaks(marks, mistakes(marks))


# ------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize("carrier", ["httpx", "aiohttp"])
@pytest.mark.parametrize("auth", ["bearer", "signed"])
def test_k11_no_failure_shows_who_asked(auth, carrier, marks, peer):
    channels = check(marks, _spills.failures(marks, peer, carriers=[carrier], auths=[auth]))

    met = {channel.partition(":")[0] for channel in channels}
    assert {*KINDS.values()} <= met
    assert {"traceback with locals", "pickle", "causes", "body", "notes"} <= {
        channel.partition(": ")[2] for channel in channels
    }


def few(marks, peer, carrier="httpx", auth="bearer"):
    return _spills.failures(marks, peer, carriers=[carrier], auths=[auth], kinds=FEW)


def test_k11_without_redaction_it_is_found(marks, peer, monkeypatch):
    monkeypatch.setattr(_secrets, "_forms", lambda text: ())
    marks = Canaries(SEED + 1)  # others may still be alive, and known

    found = leaks(marks, few(marks, peer))

    assert {("ServerError: body", "header"), ("log httpcore", "API key")} <= found


def test_k03_with_the_frames_of_what_failed_it_is_found(marks, peer, monkeypatch):
    monkeypatch.setattr(service, "frameless", lambda error: error)

    assert ("ServerError: traceback with locals", "API key") in leaks(marks, few(marks, peer))


def test_k03_with_a_library_s_word_for_it_it_is_found(marks, peer, monkeypatch):
    monkeypatch.setattr(httpx_transport, "quotable", failed.frameless)

    assert ("TransportError: causes", "API key") in leaks(marks, few(marks, peer))


# ------------------------------------------------------------------------------------ logs


def test_k04_no_log_at_any_level_has_a_key(marks, peer):
    channels = check(marks, _signing.signing(marks, peer, chains=[1, 2]))

    assert {
        "log httpcore",
        "log asyncio",
        "doctor's finding",
        "AWS AuthError: vars",
        "AWS ConfigError: str",
    } <= set(channels)


def test_k04_without_the_hush_botocore_s_log_has_it(marks, peer, monkeypatch):
    monkeypatch.setattr("toolstone.bedrock.hush._Hush.filter", lambda self, record: True)

    assert ("log botocore", "session token") in leaks(
        marks, _signing.signing(marks, peer, chains=[1])
    )


def test_k04_without_the_filter_an_http_library_s_log_has_it(marks, peer, monkeypatch):
    monkeypatch.setattr("toolstone.wire.quiet._Clean.filter", lambda self, record: True)

    assert ("log httpcore", "API key") in leaks(marks, few(marks, peer))


# ------------------------------------------------------------------------------------ runs


def test_k13_a_run_whose_tools_spill_keys_shows_none(marks, peer):
    channels = check(marks, _spills.agents(marks, peer))

    assert {
        *("told to the model", "log toolstone", "observer, console", "RunError: vars"),
        *("file ledger.db-wal", "file observed.jsonl", "file cassette.jsonl", "result: repr"),
    } <= set(channels)


def test_k13_without_striking_out_the_model_is_told(marks, peer, monkeypatch):
    monkeypatch.setattr(telling, "FORMS", [])
    monkeypatch.setattr(telling, "redact", lambda text: text)

    found = leaks(marks, _spills.agents(marks, peer))

    assert {
        *(("told to the model", "API key"), ("file ledger.db-wal", "API key")),
        *(("log toolstone", "API key"), ("file observed.jsonl", "API key")),
    } <= found


def test_k05_an_observer_that_shows_content_is_found(marks, peer, monkeypatch):
    monkeypatch.setattr(
        Console, "observe", lambda self, run, event: self._file.write(f"{vars_of(event)}")
    )

    assert ("observer, console", "output") in leaks(marks, _spills.agents(marks, peer))


def vars_of(event):
    return {name: getattr(event, name) for name in getattr(event, "__slots__", ())}


def test_k09_a_key_in_the_conversation_is_in_no_cassette():
    kept = keep.keep_request({"input": "my key is sk-abc123def456ghi", "user": "u", "metadata": {}})

    assert kept == {"input": "my key is [redacted]"}


def test_k09_a_live_key_of_any_look_is_in_no_cassette(marks, monkeypatch):
    held = _secrets.Secret(marks["API key"])
    asked = {"input": [{"content": f"it is {held}"}]}

    check(marks, [("kept", repr(keep.keep_request(asked)))])
    monkeypatch.setattr(keep, "redact", lambda text: text)
    assert ("kept", "API key") in leaks(marks, [("kept", repr(keep.keep_request(asked)))])


def test_k09_without_the_list_a_cassette_keeps_what_it_should_not(monkeypatch):
    monkeypatch.setattr(keep, "REQUEST", keep.REQUEST | {"user"})

    with pytest.raises(AssertionError):
        assert "user" not in keep.keep_request({"input": "hi", "user": "u"})


# ------------------------------------------------------------------------------------ processes

SHALLOW = ("run --debug", "crash", "doctor --json")


def test_k06_commands_show_no_key(marks, peer):
    channels = check(marks, _outside.commands(marks, peer, names=SHALLOW))

    assert {f"command {name}: stderr" for name in SHALLOW} <= set(channels)


def test_k08_a_dump_of_all_threads_names_functions_alone(marks, peer):
    spills = list(_outside.commands(marks, peer, names=("faulthandler",)))

    check(marks, spills)
    assert 'File "' in dict(spills)["command faulthandler: stderr"]


def test_k06_without_care_a_message_of_the_command_line_has_it(marks, monkeypatch, capsys):
    monkeypatch.setenv("MY_API_KEY", marks["API key"])

    def told():
        with pytest.raises(cli_failures.typer.Exit), cli_failures.reported(debug=True):
            raise RuntimeError(f"key {os.environ['MY_API_KEY']}")
        return [("stderr", capsys.readouterr().err)]

    check(marks, told())
    monkeypatch.setattr(cli_failures, "redact", lambda text: text)
    assert ("stderr", "API key") in leaks(marks, told())


def test_k06_an_endpoint_and_its_workers_show_no_key(marks):
    channels = check(marks, _outside.endpoint(marks))

    assert {"endpoint: arguments", "endpoint: /responses", "endpoint: stderr"} <= set(channels)


def test_k01_the_endpoint_keeps_a_digest_of_its_key(marks):
    there = gate.Gate(None, api_key=marks["serve key"])

    check(marks, [("gate", repr(vars(there)))])


def test_k07_the_model_s_process_is_told_no_key(marks):
    channels = check(marks, _outside.model_process(marks))

    assert {"model's process: arguments", "model's process: environment"} <= set(channels)


def test_k07_without_the_list_the_environment_has_it(marks, monkeypatch):
    monkeypatch.setattr(spawn, "surroundings", lambda: dict(os.environ))

    found = leaks(marks, _outside.model_process(marks))

    assert ("model's process: environment", "secret key") in found


def test_k08_a_key_that_is_a_name_would_be_found(marks, tmp_path):
    def dump(file):
        faulthandler.dump_traceback(file)

    dump.__code__ = dump.__code__.replace(co_name=marks["header"])
    with (tmp_path / "dump").open("w+") as file:
        dump(file)

    assert ("dump", "header") in leaks(marks, [("dump", (tmp_path / "dump").read_text())])
