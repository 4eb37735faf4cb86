"""The public names, as a literal: adding or removing one is a decision, and is seen here."""

from pathlib import Path

import pytest

import toolstone
import toolstone.extract

PUBLIC = [
    "Agent",
    "AuthError",
    "BlockingStream",
    "Budget",
    "CallKey",
    "CancelToken",
    "ChatCompletions",
    "ConfigError",
    "ConflictError",
    "CustomTool",
    "DeadlineError",
    "DefinitionError",
    "DroppedError",
    "EmptyError",
    "FailedError",
    "File",
    "FunctionCall",
    "FunctionCallOutput",
    "Image",
    "InputError",
    "LastTurns",
    "Ledger",
    "Limit",
    "LimitError",
    "MemoryLedger",
    "Message",
    "Model",
    "Observer",
    "Other",
    "OutputError",
    "Price",
    "Profile",
    "ProtocolError",
    "RateLimitError",
    "Reasoning",
    "RefusedError",
    "Request",
    "Response",
    "Responses",
    "Result",
    "RunCancelled",
    "RunError",
    "RunStream",
    "SQLiteLedger",
    "ServerCompaction",
    "ServerError",
    "ServerTool",
    "ServiceError",
    "Settings",
    "SetupError",
    "StatusError",
    "StoppedError",
    "StorageError",
    "Summary",
    "Text",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "Toolbox",
    "ToolstoneError",
    "TransportError",
    "TrimResults",
    "TruncatedError",
    "Unsupported",
    "Usage",
    "UsageError",
    "assistant",
    "custom_tool",
    "developer",
    "dispatch",
    "extract_many",
    "extract_many_sync",
    "require",
    "tool",
    "user",
]


def test_the_public_names_are_these():
    assert sorted(toolstone.__all__) == sorted(PUBLIC)


def test_every_public_name_is_there_and_says_what_it_is():
    for name in PUBLIC:
        assert getattr(toolstone, name).__doc__, name


def test_the_typed_twin_names_the_same():
    lines = Path(toolstone.__file__).read_text().splitlines()
    typed = {line.split(" as ")[1] for line in lines if line.startswith("    from toolstone.")}
    assert typed == set(PUBLIC)


@pytest.mark.parametrize("package", [toolstone, toolstone.extract], ids=lambda one: one.__name__)
def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="nothing"):
        getattr(package, "nothing")  # noqa: B009  a type checker would find it


EXTRACT = [
    "Document",
    "Evidence",
    "Failure",
    "Job",
    "Pace",
    "Plan",
    "Record",
    "Split",
    "extract_many",
    "extract_many_sync",
    "read_documents",
]


def test_the_names_of_extraction_are_these():
    assert sorted(toolstone.extract.__all__) == sorted(EXTRACT)
    for name in EXTRACT:
        assert getattr(toolstone.extract, name).__doc__, name
    lines = Path(toolstone.extract.__file__).read_text().splitlines()
    typed = {line.split(" as ")[1] for line in lines if line.startswith("    from toolstone.")}
    assert typed == set(EXTRACT)
