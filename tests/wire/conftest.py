"""The peer, and both transports for whoever asks for `transport`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from toolstone.wire import AiohttpTransport, HttpxTransport


def load(name, path):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("toolstone_virtual", Path(__file__).parent / "virtual.py")
PEER = load("toolstone_peer", Path(__file__).parent / "peer.py")


@pytest.fixture
def peer():
    return PEER


@pytest.fixture(params=[HttpxTransport, AiohttpTransport], ids=["httpx", "aiohttp"])
def transport(request):
    """The class; each test makes its own."""
    return request.param


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def authority():
    import trustme

    return trustme.CA()


@pytest.fixture
def server_tls(authority):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
