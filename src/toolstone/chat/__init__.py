"""The older protocol: render, parse, stream, client. Knows no cloud and no loop."""

from toolstone.chat.bounds import CHAT_PROFILE
from toolstone.chat.client import ChatCompletions
from toolstone.chat.parse import parse_completion
from toolstone.chat.render import Renderer
from toolstone.chat.stream import Assembler

__all__ = ["CHAT_PROFILE", "Assembler", "ChatCompletions", "Renderer", "parse_completion"]
