"""Who watches a run: the console, a file of JSON lines. Yours: anything with `observe`."""

from toolstone.observers.console import Console
from toolstone.observers.jsonl import JSONLines

__all__ = ["Console", "JSONLines"]
