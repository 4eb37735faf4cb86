"""A Python function becomes something a model may call, and its calls are made."""

from toolstone.parts import File, Image, Text
from toolstone.tools.calling import Pending, call_all
from toolstone.tools.context import BudgetLeft, CancelToken, ToolContext
from toolstone.tools.custom import CustomTool, custom_tool
from toolstone.tools.decorator import tool
from toolstone.tools.dispatch import dispatch
from toolstone.tools.limiter import Limit
from toolstone.tools.server import ServerTool
from toolstone.tools.tool import ArgumentsProblem, Bound, Tool
from toolstone.tools.toolbox import Toolbox

__all__ = [
    "ArgumentsProblem",
    "Bound",
    "BudgetLeft",
    "CancelToken",
    "CustomTool",
    "File",
    "Image",
    "Limit",
    "Pending",
    "ServerTool",
    "Text",
    "Tool",
    "ToolContext",
    "Toolbox",
    "call_all",
    "custom_tool",
    "dispatch",
    "tool",
]
