"""Importing the package does nothing (I10), in a fresh interpreter."""

import json
import subprocess
import sys

PROBE = """
import json, sys
events = []
WATCHED = ("socket.", "subprocess.", "os.system", "os.fork", "os.exec", "os.putenv", "os.spawn",
           "_thread.start_new_thread", "os.mkdir", "os.remove", "os.rename", "shutil.")
def watch(event, args):
    if event.startswith(WATCHED):
        events.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        events.append(f"open {args[0]}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import toolstone
after_import = len(sys.modules)
%s
heavy = sorted({m.split(".")[0] for m in sys.modules}
               & {"httpx", "jsonschema", "tenacity", "sqlite3", "boto3", "botocore", "aiohttp",
                  "starlette", "uvicorn", "typer", "rich", "xllamacpp", "openai"})
print(json.dumps({"events": events, "heavy": heavy, "modules": len(sys.modules),
                  "after_import": after_import}))
"""
FIRST_AGENT = """
def weather(city: str) -> float:
    '''Current temperature.

    Args:
        city: Where.
    '''
agent = toolstone.Agent("responses+http://127.0.0.1:9/v1#m", tools=[weather])
"""


def probe(code=""):
    done = subprocess.run(
        [sys.executable, "-c", PROBE % code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_importing_opens_writes_and_starts_nothing():
    assert probe()["events"] == []


def test_importing_loads_nothing_heavy():
    assert probe()["heavy"] == []


def test_a_first_agent_opens_and_loads_nothing_heavy_either():
    found = probe(FIRST_AGENT)
    assert (found["events"], found["heavy"]) == ([], [])


def test_every_public_name_can_be_loaded():
    assert probe("[getattr(toolstone, name) for name in toolstone.__all__]")["events"] == []
