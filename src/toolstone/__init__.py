"""Predictable function-calling agents over imperfect Responses endpoints.

Importing this package does nothing else: every name below loads its module at first use.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolstone.agent import Agent as Agent
    from toolstone.chat.client import ChatCompletions as ChatCompletions
    from toolstone.errors import AuthError as AuthError
    from toolstone.errors import ConfigError as ConfigError
    from toolstone.errors import ConflictError as ConflictError
    from toolstone.errors import DeadlineError as DeadlineError
    from toolstone.errors import DefinitionError as DefinitionError
    from toolstone.errors import DroppedError as DroppedError
    from toolstone.errors import EmptyError as EmptyError
    from toolstone.errors import FailedError as FailedError
    from toolstone.errors import InputError as InputError
    from toolstone.errors import LimitError as LimitError
    from toolstone.errors import OutputError as OutputError
    from toolstone.errors import ProtocolError as ProtocolError
    from toolstone.errors import RateLimitError as RateLimitError
    from toolstone.errors import RefusedError as RefusedError
    from toolstone.errors import RunCancelled as RunCancelled
    from toolstone.errors import RunError as RunError
    from toolstone.errors import ServerError as ServerError
    from toolstone.errors import ServiceError as ServiceError
    from toolstone.errors import SetupError as SetupError
    from toolstone.errors import StatusError as StatusError
    from toolstone.errors import StoppedError as StoppedError
    from toolstone.errors import StorageError as StorageError
    from toolstone.errors import ToolError as ToolError
    from toolstone.errors import ToolstoneError as ToolstoneError
    from toolstone.errors import TransportError as TransportError
    from toolstone.errors import TruncatedError as TruncatedError
    from toolstone.errors import Unsupported as Unsupported
    from toolstone.errors import UsageError as UsageError
    from toolstone.extract.many import extract_many as extract_many
    from toolstone.extract.many import extract_many_sync as extract_many_sync
    from toolstone.items import CallKey as CallKey
    from toolstone.items import FunctionCall as FunctionCall
    from toolstone.items import FunctionCallOutput as FunctionCallOutput
    from toolstone.items import Message as Message
    from toolstone.items import Other as Other
    from toolstone.items import Reasoning as Reasoning
    from toolstone.items import assistant as assistant
    from toolstone.items import developer as developer
    from toolstone.items import user as user
    from toolstone.ledgers.memory import MemoryLedger as MemoryLedger
    from toolstone.ledgers.sqlite import SQLiteLedger as SQLiteLedger
    from toolstone.parts import File as File
    from toolstone.parts import Image as Image
    from toolstone.parts import Text as Text
    from toolstone.ports import Ledger as Ledger
    from toolstone.ports import Model as Model
    from toolstone.ports import Observer as Observer
    from toolstone.ports import Profile as Profile
    from toolstone.ports import Request as Request
    from toolstone.ports import Response as Response
    from toolstone.ports import Settings as Settings
    from toolstone.responses.capabilities import require as require
    from toolstone.responses.client import Responses as Responses
    from toolstone.runs.budget import Budget as Budget
    from toolstone.runs.budget import Price as Price
    from toolstone.runs.result import Result as Result
    from toolstone.runs.result import ToolCall as ToolCall
    from toolstone.runs.stream import BlockingStream as BlockingStream
    from toolstone.runs.stream import RunStream as RunStream
    from toolstone.runs.views import LastTurns as LastTurns
    from toolstone.runs.views import ServerCompaction as ServerCompaction
    from toolstone.runs.views import Summary as Summary
    from toolstone.runs.views import TrimResults as TrimResults
    from toolstone.tools.context import CancelToken as CancelToken
    from toolstone.tools.context import ToolContext as ToolContext
    from toolstone.tools.custom import CustomTool as CustomTool
    from toolstone.tools.custom import custom_tool as custom_tool
    from toolstone.tools.decorator import tool as tool
    from toolstone.tools.dispatch import dispatch as dispatch
    from toolstone.tools.limiter import Limit as Limit
    from toolstone.tools.server import ServerTool as ServerTool
    from toolstone.tools.tool import Tool as Tool
    from toolstone.tools.toolbox import Toolbox as Toolbox
    from toolstone.usage import Usage as Usage

_HOMES = {
    "agent": ["Agent"],
    "chat.client": ["ChatCompletions"],
    "errors": [
        "AuthError",
        "ConfigError",
        "ConflictError",
        "DeadlineError",
        "DefinitionError",
        "DroppedError",
        "EmptyError",
        "FailedError",
        "InputError",
        "LimitError",
        "OutputError",
        "ProtocolError",
        "RateLimitError",
        "RefusedError",
        "RunCancelled",
        "RunError",
        "ServerError",
        "ServiceError",
        "SetupError",
        "StatusError",
        "StoppedError",
        "StorageError",
        "ToolError",
        "ToolstoneError",
        "TransportError",
        "TruncatedError",
        "Unsupported",
        "UsageError",
    ],
    "extract.many": ["extract_many", "extract_many_sync"],
    "items": [
        "CallKey",
        "FunctionCall",
        "FunctionCallOutput",
        "Message",
        "Other",
        "Reasoning",
        "assistant",
        "developer",
        "user",
    ],
    "ledgers.memory": ["MemoryLedger"],
    "ledgers.sqlite": ["SQLiteLedger"],
    "parts": ["File", "Image", "Text"],
    "ports": ["Ledger", "Model", "Observer", "Profile", "Request", "Response", "Settings"],
    "responses.capabilities": ["require"],
    "responses.client": ["Responses"],
    "runs.budget": ["Budget", "Price"],
    "runs.result": ["Result", "ToolCall"],
    "runs.stream": ["BlockingStream", "RunStream"],
    "runs.views": ["LastTurns", "ServerCompaction", "Summary", "TrimResults"],
    "tools.context": ["CancelToken", "ToolContext"],
    "tools.custom": ["CustomTool", "custom_tool"],
    "tools.decorator": ["tool"],
    "tools.dispatch": ["dispatch"],
    "tools.limiter": ["Limit"],
    "tools.server": ["ServerTool"],
    "tools.tool": ["Tool"],
    "tools.toolbox": ["Toolbox"],
    "usage": ["Usage"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  the names above, each once
__version__ = "0.1.0"

logging.getLogger("toolstone").addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'toolstone' has no attribute {name!r}")
    value = getattr(import_module(f"toolstone.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME_OF]
