"""What a model says goes back as it came: parse, then render, is the same message again."""

import json

from hypothesis import given
from hypothesis import strategies as st
from toolstone_chat_data import completion, encode, narrate

from toolstone.chat import Assembler, Renderer, parse_completion
from toolstone.chat.bounds import bounded
from toolstone.items import user
from toolstone.ports import Profile, Request
from toolstone.wire import SseDecoder

KEEPS = bounded(Profile(name="x", replays_thoughts=True))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SAID = TEXT.filter(bool)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abcdef_0123456789", min_size=1, max_size=12),
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": SAID, "arguments": TEXT}),
        },
        optional={"extra_content": st.dictionaries(TEXT, TEXT, min_size=1, max_size=2)},
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda call: call["id"],
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={"content": SAID, "refusal": SAID, "reasoning_content": SAID, "tool_calls": CALLS},
).filter(lambda message: set(message) - {"reasoning_content"})


def replayed(items):
    body, _ = Renderer("m", KEEPS).render(Request([user("hi"), *items]))
    return json.loads(body)["messages"][1]


@given(MESSAGES)
def test_a_message_goes_back_as_it_came(message):
    items = parse_completion(json.dumps(completion(**message)).encode()).items

    assert replayed(items) == {"role": "assistant", "content": None, **message}


@given(MESSAGES, st.integers(1, 7))
def test_so_does_a_streamed_one(message, size):
    assembler = Assembler()
    assembler.feed(SseDecoder().feed(encode(narrate(completion(**message), size=size))))

    assert replayed(assembler.end().items) == {"role": "assistant", "content": None, **message}
