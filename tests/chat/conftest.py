"""The peer of the wire tests, and chat completions as servers send them."""

import importlib.util
import sys
from pathlib import Path

import pytest

from toolstone.wire import AiohttpTransport, HttpxTransport

HERE = Path(__file__).parent


def load(name, path):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("toolstone_virtual", HERE.parent / "wire" / "virtual.py")
load("toolstone_peer", HERE.parent / "wire" / "peer.py")
load("toolstone_chat_data", HERE / "chat_data.py")


@pytest.fixture(params=[HttpxTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport(request):
    return request.param


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
