"""`toolstone tools`: what a module offers, as people and programs read it."""

import json

AGENTS = __file__.replace("test_tools.py", "agents_under_test.py")


def test_decorated_functions_and_the_tools_of_agents_and_toolboxes_are_listed_once(command):
    done = command("tools", AGENTS)
    assert done.returncode == 0, done.stderr
    names = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert names == [
        "pay", "sort", "score", "weather", "population", "forever", "fails",
        "ask_a_person", "city_weather", "city_population", "sql", "sql", "mcp:crm",
    ]  # fmt: skip


def test_a_tool_is_shown_as_a_model_sees_it(command):
    done = command("tools", f"{AGENTS}:population")
    assert done.stdout == (
        "population\n  Number of inhabitants.\n  city: string\n  year: integer | null\n"
    )


def test_types_are_said_in_a_word_or_two(command):
    done = command("tools", f"{AGENTS}:sort")
    assert done.stdout == (
        "sort\n  Sort.\n  names: array of string\n"
        '  order: "up" | "down"\n  where: object\n  extra: anything\n'
    )


def test_explain_says_strict_or_not_and_why(command):
    done = command("tools", f"{AGENTS}:population", "--explain")
    assert "  strict: yes\n    year: required, since null is its default\n" in done.stdout
    done = command("tools", f"{AGENTS}:score", "--explain")
    assert "  strict: no\n    points" in done.stdout
    assert '"minimum": 1' in done.stdout


def test_tools_that_are_no_functions_are_shown_for_what_they_are(command):
    done = command("tools", f"{AGENTS}:kinds")
    assert done.stdout == (
        "sql\n  Read.\n  free text, held to a regex grammar\n\nmcp:crm\n  run by the service\n"
    )
    done = command("tools", f"{AGENTS}:kinds", "--explain")
    assert "a regular expression is held to, by the service and here" in done.stdout
    assert '"definition": "SELECT .+"' in done.stdout
    assert "its definition is sent as it is" in done.stdout
    assert "SECRET" not in done.stdout
    done = command("tools", f"{AGENTS}:kinds", "--json")
    custom, server = [json.loads(line) for line in done.stdout.splitlines()]
    assert (custom["kind"], server["kind"]) == ("custom", "server")
    assert custom["definition"]["format"]["syntax"] == "regex"
    assert server["definition"] == {
        "type": "mcp", "server_label": "crm", "authorization": "...",
    }  # fmt: skip


def test_json_holds_schema_reasons_and_policy(command):
    done = command("tools", f"{AGENTS}:payer", "--json")
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert found["parameters"]["properties"]["amount"]["description"] == "Dollars."
    assert (found["strict"], found["reasons"], found["deferred"]) == (True, [], False)
    assert found["policy"] == {
        "timeout": 5.0, "retries": 0, "repeatable": True, "limit": None, "serial": False,
        "approve": True,
    }  # fmt: skip


def test_a_module_without_tools_says_what_to_do(command, tmp_path):
    (tmp_path / "empty.py").write_text("x = 1\n")
    done = command("tools", "empty")
    assert done.returncode == 2
    assert "decorate functions with @tool" in done.stderr


def test_a_function_that_cannot_be_a_tool_is_named_with_the_mend(command, tmp_path):
    (tmp_path / "mine.py").write_text("def f(x): ...\n")
    done = command("tools", "mine:f")
    assert done.returncode == 2
    assert "'x'" in done.stderr
    assert "annotate" in done.stderr
