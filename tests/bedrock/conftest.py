"""No AWS settings but the test's own, nothing learnt from another test, and the scripted peer."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

import toolstone.bedrock.model

HERE = Path(__file__).parent


def load(name, path):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


PEER = load("toolstone_peer", HERE.parent / "wire" / "peer.py")
WIRE = load("toolstone_wire_data", HERE.parent / "responses" / "wire_data.py")
load("toolstone_bedrock_stage", HERE / "stage.py")


@pytest.fixture
def peer():
    return PEER


@pytest.fixture
def wire():
    return WIRE


@pytest.fixture(autouse=True)
def no_aws(monkeypatch, tmp_path):
    """No credentials but those of the test; nobody asks the metadata service."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def nothing_learnt():
    toolstone.bedrock.model._learnt.clear()
