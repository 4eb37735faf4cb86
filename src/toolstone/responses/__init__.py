"""The Responses protocol: render, parse, stream, failures, client. Knows no cloud and no loop."""

from toolstone.responses.client import Responses
from toolstone.responses.conversations import Conversations
from toolstone.responses.failures import failure, read_error
from toolstone.responses.objects import Compaction, Conversation, ModelCard, Page, TokenCount
from toolstone.responses.parse import parse_response
from toolstone.responses.raw import RawStream
from toolstone.responses.render import Renderer
from toolstone.responses.stream import Assembler
from toolstone.responses.strings import openai_model, responses_model

__all__ = [
    "Assembler",
    "Compaction",
    "Conversation",
    "Conversations",
    "ModelCard",
    "Page",
    "RawStream",
    "Renderer",
    "Responses",
    "TokenCount",
    "failure",
    "openai_model",
    "parse_response",
    "read_error",
    "responses_model",
]
