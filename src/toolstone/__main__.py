"""`toolstone` and `python -m toolstone`: the command line, or how to install it."""

from __future__ import annotations

import sys

__all__ = ["main"]

_MISSING = {"typer": "cli", "rich": "cli"}


def main() -> int:
    """Run the command line; 2 if its extra is not installed."""
    try:
        from toolstone.cli.app import run  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        if error.name not in _MISSING:
            raise
        sys.stderr.write(
            f"toolstone: the command line needs {error.name!r}; "
            f"run: pip install 'toolstone[{_MISSING[error.name]}]'\n"
        )
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
