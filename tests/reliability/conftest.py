"""The fault peer, both transports, virtual time, and a request that meets a scenario."""

import importlib.util
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import toolstone_reach

from toolstone.ledgers.sqlite import SQLiteLedger
from toolstone.testing.faults import faults
from toolstone.wire import AiohttpTransport, HttpxTransport

HERE = Path(__file__).parent


def load(name, path):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("toolstone_virtual", HERE.parent / "wire" / "virtual.py")
load("toolstone_rows", HERE / "rows.py")
load("toolstone_test_import", HERE.parent / "test_import.py")
load("toolstone_peer", HERE.parent / "wire" / "peer.py")
load("toolstone_wire_data", HERE.parent / "responses" / "wire_data.py")
load("toolstone_bedrock_stage", HERE.parent / "bedrock" / "stage.py")
MEETING = load("toolstone_meeting", HERE / "meeting.py")
load("toolstone_acting", HERE / "acting.py")
load("toolstone_load", HERE / "loading.py")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def no_credentials(monkeypatch, tmp_path):
    """No variables of services but those of the test, and nothing learnt of their hosts."""
    import toolstone.bedrock.model

    for name in list(os.environ):
        if name.startswith(("AWS_", "OPENAI_", "TOOLSTONE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    toolstone.bedrock.model._learnt.clear()


@pytest.fixture
def peer():
    with faults() as there:
        yield there


@pytest.fixture(params=[HttpxTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport(request):
    """The class; each test makes its own."""
    return request.param


@pytest.fixture
def meet(peer, transport):
    """`meet("H07")`: a request at a scenario; the peer is `meet.peer`."""

    def made(scenario, *, times=None, **options):
        return MEETING.Meeting(peer, peer.base_url(scenario, times=times), transport, **options)

    made.peer, made.transport = peer, transport
    yield made
    ours = {urlsplit(peer.base_url(name)).port for name in ("H01", "H02")}
    assert {place[1] for place in toolstone_reach.heard()} <= ours, "it spoke to somebody else"
    assert peer.strayed == 0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.sqlite"


@pytest.fixture
def ledger(path):
    made = SQLiteLedger(path)
    yield made
    made.close()
