"""Who watches a run: the console, a file of JSON lines. Yours: anything with `observe`.

`Watchdog` watches the event loop instead: it names the tool that keeps it busy.
"""

from toolstone.observers.console import Console
from toolstone.observers.jsonl import JSONLines
from toolstone.observers.watchdog import Watchdog

__all__ = ["Console", "JSONLines", "Watchdog"]
