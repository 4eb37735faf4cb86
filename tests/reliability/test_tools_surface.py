"""T30: what models may call is what was reviewed, and nothing else.

After a change that is meant, look at what `toolstone tools --json` says and put it into the file.
"""

import json
from pathlib import Path

import pytest
import toolstone_rows as rows
from toolstone_load import load_tests

SURFACE = rows.DATA / "tools_surface.json"
MODULE = Path(__file__).parent / "tools_surface.py"


def listed(target=str(MODULE)):
    """What `toolstone tools --json` says of a module."""
    from typer.testing import CliRunner

    from toolstone.cli.app import app

    done = CliRunner().invoke(app, ["tools", target, "--json"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_t30_the_tools_of_a_module_are_those_that_were_reviewed(target=str(MODULE)):
    assert listed(target) == json.loads(SURFACE.read_text())


@pytest.mark.parametrize("exposes", ["@tool\ndef delete_everything", "tools=[files, shop, "])
def test_t30_a_tool_by_accident_is_noticed(exposes, tmp_path):
    """The alarm's own test: a helper is decorated, or a whole object given to the agent."""
    source = MODULE.read_text()
    if exposes.startswith("@"):
        source = source.replace("def delete_everything", exposes)
    else:
        source = source.replace("tools=[files, ", exposes).replace(
            "    def empty_the_till(self)", "    def __call__(self)"
        )
    changed = tmp_path / "surface_changed.py"
    changed.write_text(source)
    with pytest.raises(AssertionError):
        test_t30_the_tools_of_a_module_are_those_that_were_reviewed(str(changed))


async def test_t30_a_model_is_sent_exactly_those():
    module = load_tests("reliability/tools_surface.py")
    reviewed = {one["name"]: one for one in json.loads(SURFACE.read_text())}
    for agent in (module.agent, module.plain):
        await agent.run("go")
        sent = {spec.name: spec for spec in module.model.requests[-1].tools}
        assert set(sent) == {tool.name for tool in agent.tools}
        for name, spec in sent.items():
            assert spec.description == reviewed[name]["description"]
            assert spec.parameters == reviewed[name]["parameters"]
            assert spec.strict == reviewed[name]["strict"]
    assert set(sent) == set()
