"""Python types become JSON Schema, and JSON becomes Python values again. Pure."""

from toolstone.schema.arguments import Arguments, describe_arguments
from toolstone.schema.lint import strict_problems
from toolstone.schema.output import OutputProblem, OutputType
from toolstone.schema.partial import Partial, PartialReader

__all__ = [
    "Arguments",
    "OutputProblem",
    "OutputType",
    "Partial",
    "PartialReader",
    "describe_arguments",
    "strict_problems",
]
