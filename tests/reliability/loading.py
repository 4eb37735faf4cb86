"""Tests of another folder, to be run again under other circumstances."""

import importlib.util
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent


def load_tests(path):
    """The module of a test file, such as `tools/test_calling.py`."""
    name = "toolstone_again_" + path.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TESTS / path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
