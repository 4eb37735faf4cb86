"""Live secrets are struck out of any text, whatever they are and whenever they begin."""

from toolstone import ServerTool, _secrets
from toolstone._secrets import REDACTED, Secret, redact


def test_a_secret_that_stands_in_what_replaces_it_is_struck_out_and_that_ends():
    held = [Secret(REDACTED * 2), Secret("redacted][redacted")]

    assert REDACTED in redact(f"a {REDACTED * 3} thing")
    assert len(held) == 2


def test_a_short_placeholder_is_no_secret():
    held = Secret("not-needed")

    assert redact("a key is not-needed here") == "a key is not-needed here"
    assert repr(held) == "Secret(...)"


def test_a_secret_that_begins_while_another_does_is_struck_out_too(monkeypatch):
    held = []

    def meanwhile(known, **given):
        """Another thread, between the look at what lives and the writing of it."""
        monkeypatch.undo()
        held.append(Secret("the second one's key"))
        return sorted(known, **given)

    monkeypatch.setattr(_secrets, "sorted", meanwhile, raising=False)
    held.append(Secret("the first one's key"))

    assert redact("the first one's key, the second one's key") == f"{REDACTED}, {REDACTED}"
    assert len(held) == 2


def test_of_a_remote_tool_s_headers_those_that_say_who_asks_are_secrets():
    headers = {"Accept": "application/json", "X-Api-Key": "the remote tool's key"}
    tool = ServerTool("mcp", server_label="crm", server_url="https://crm", headers=headers)

    assert redact("application/json") == "application/json"
    assert redact("the remote tool's key") == REDACTED
    assert tool.spec.raw["headers"] == headers
    assert "application" not in repr(tool.spec.raw)
