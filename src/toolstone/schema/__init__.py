"""Python types become JSON Schema, and JSON becomes Python values again. Pure."""

from toolstone.schema.arguments import Arguments, describe_arguments
from toolstone.schema.lint import strict_problems
from toolstone.schema.output import OutputProblem, OutputType

__all__ = [
    "Arguments",
    "OutputProblem",
    "OutputType",
    "describe_arguments",
    "strict_problems",
]
