"""The long campaigns of docs/reliability.md, and its table: `python tools/campaign.py NAME`.

Each is a module of tools/campaigns; `--help` lists them. A shallow, seeded version of each runs
with the tests.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys

import campaigns


def main(arguments: list[str]) -> int:
    """Run the campaign that is named; 0 if it reached its target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="NAME")
    for found in pkgutil.iter_modules(campaigns.__path__):
        if found.name.startswith("_"):
            continue
        campaign = importlib.import_module(f"campaigns.{found.name}")
        first = (campaign.__doc__ or "").partition("\n")[0]
        one = commands.add_parser(found.name, help=first, description=campaign.__doc__)
        campaign.options(one)
        one.set_defaults(run=campaign.run)
    given = parser.parse_args(arguments)
    done: int = given.run(given)
    return done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
