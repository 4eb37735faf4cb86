"""Responses that Bedrock works on by itself: on mantle; the runtime host has none."""

import pytest
from toolstone_bedrock_stage import GPT, Stage, nobody

from toolstone import Settings, StatusError, Unsupported, user
from toolstone.events import Accepted
from toolstone.ports import Request

RUNTIME = "bedrock-runtime/openai.gpt-5.6-terra"
BACKGROUND = Settings(background=True)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_mantle_works_on_it_and_every_look_is_signed(streamed):
    settings = Settings(background=True, stream=streamed)
    with Stage(["it is done"], GPT) as stage:
        result = await stage.agent(settings=settings).run("go")

    assert result.output == "it is done"
    assert [r.fact.type for r in result.records].count("accepted") == 1


async def test_the_runtime_host_is_not_asked():
    with Stage(["it is done"], RUNTIME) as stage:
        with pytest.raises(Unsupported, match="bedrock-mantle"):
            await stage.agent(settings=BACKGROUND).run("go")

    assert not stage.script.turns


async def test_it_can_be_cancelled_and_looked_at_with_the_raw_client():
    accepted = []

    async def emit(events):
        accepted.extend(e.response for e in events if type(e) is Accepted)

    with Stage(["it is done"], GPT) as stage:
        model = stage.model()
        response = await model.respond(Request((user("go"),), settings=BACKGROUND), emit)
        stored = await model.client.retrieve(response.id)
        over = await model.cancel(response.id)
        await model.client.delete(response.id)
        with pytest.raises(StatusError):
            await model.client.retrieve(response.id)

    assert accepted == [response.id]
    assert stored.text == over.text == "it is done"
    assert response.endpoint == model.origin == "https://bedrock-mantle.us-east-1.api.aws"


async def test_what_mantle_has_forgotten_is_asked_for_anew():
    with Stage(["it is done"], GPT) as stage:
        request = Request((user("go"),), settings=BACKGROUND, accepted="resp_lost")
        response = await stage.model().respond(request, nobody)

    assert response.text == "it is done"
    assert [note.what for note in response.notes if note.what != "warning"] == ["attempt", "mended"]
