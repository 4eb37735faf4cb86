"""`Agent.check()`: what can be said without asking anybody."""

from toolstone import Agent, Settings
from toolstone.bedrock import Wishes, bedrock_model
from toolstone.testing import Scripted

NAME = "bedrock-runtime/openai.gpt-5.6-sol"


def found(agent):
    return {finding.check: finding.status for finding in agent.check()}


def test_a_scripted_model_is_nobodys_endpoint():
    assert Agent(Scripted()).check() == ()


def test_settings_that_the_model_refuses_are_found_offline(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKexample")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    good, bad = Agent(NAME), Agent(NAME, settings=Settings(top_p=0.5))
    assert "fail" not in found(good).values()
    worse = {check for check, status in found(bad).items() if status != found(good)[check]}
    assert worse == {"capability"}
    (told,) = [finding for finding in bad.check() if finding.check == "capability"]
    assert "top_p" in told.seen
    assert "ABSKexample" not in repr(bad.check())


def test_wishes_of_a_model_object_are_judged(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKexample")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    plain = Agent(bedrock_model(NAME))
    wishing = Agent(bedrock_model(NAME, wishes=Wishes(background=True)))
    assert found(wishing) != found(plain)
