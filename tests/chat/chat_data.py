"""Chat completions as servers send them, and a narrator that tells one as a stream of chunks."""

import json

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def function(name="weather", arguments='{"city":"Par\\u00e9s"}', ident="call_1", **more):
    call = {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in {**call, **more}.items() if value is not None}


def completion(finish="stop", *, logprobs=None, **message):
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}}
    choice["finish_reason"] = finish
    if logprobs is not None:
        choice["logprobs"] = logprobs
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "some-model-2026",
        "service_tier": "flex",
        "choices": [choice],
        "usage": USAGE,
    }


PARIS = "It is 21 °C in Paris. 😀"
WEIGHED = {"content": [{"token": "It", "logprob": -0.1}, {"token": "is", "logprob": -0.2}]}
COMPLETIONS = {
    "text": completion(content=PARIS, refusal=None, annotations=[]),
    "weighed": completion(content=PARIS, logprobs=WEIGHED),
    "refusal": completion(refusal="I will not."),
    "call": completion("tool_calls", tool_calls=[function()]),
    "call, stop": completion("stop", content="", tool_calls=[function()]),
    "parallel": completion(
        "tool_calls",
        content="Let me see.",
        tool_calls=[function(), function("population", "{}", "call_2")],
    ),
    "thoughts of llama.cpp": completion(content="12", reasoning_content="3 times 4"),
    "thoughts of vLLM": completion(content="12", reasoning="3 times 4"),
    "thoughts, call": completion(
        "tool_calls", content="", reasoning_content="hm", tool_calls=[function()]
    ),
    "parts of Mistral": completion(
        content=[
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "one "},
            {"type": "text", "text": "two"},
        ]
    ),
    "signature of Gemini": completion(
        "stop", tool_calls=[function(extra_content={"google": {"thought_signature": "abc"}})]
    ),
    "custom": completion(
        "tool_calls",
        tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}],
    ),
    "cited": completion(
        content="see",
        annotations=[{"type": "url_citation", "url_citation": {"url": "u", "start_index": 0}}],
    ),
    "cut": completion("length", content="It is 2"),
    "cut call": completion("length", tool_calls=[function(arguments='{"ci')]),
    "filtered": completion("content_filter", content="Some"),
    "empty": completion(content=""),
}


def split(text, size):
    return [text[n : n + size] for n in range(0, len(text), size)]


def narrate(value, *, size=4, usage=True, index=True, whole=False, repeat=False):
    """Tell a completion chunk by chunk; the options are habits that servers have.

    Args:
        value: The completion.
        size: Characters in a delta.
        usage: Whether the usage comes in a chunk of its own, or in the last one.
        index: Whether calls have an `index`.
        whole: Whether a call comes in one delta.
        repeat: Whether the id and the name of a call come again with each delta of it.
    """
    choice = value["choices"][0]
    head = {key: value[key] for key in ("id", "created", "model", "service_tier") if key in value}

    def chunk(delta, finish=None, **more):
        told = {"index": 0, "delta": delta, "finish_reason": finish, **more}
        return {**head, "object": "chat.completion.chunk", "choices": [told]}

    message = choice["message"]
    for delta in said_by(message, size):
        yield chunk(delta)
    for one in (choice.get("logprobs") or {}).get("content", ()):
        yield chunk({}, logprobs={"content": [one]})
    if message.get("annotations"):
        yield chunk({"annotations": message["annotations"]})
    for number, call in enumerate(message.get("tool_calls") or ()):
        for delta in pieces_of(call, size, whole=whole, repeat=repeat):
            told = {"index": number, **delta} if index else delta
            yield chunk({"tool_calls": [told]})
    last = chunk({}, choice["finish_reason"])
    if usage:
        yield last
        yield {**head, "object": "chat.completion.chunk", "choices": [], "usage": value["usage"]}
    else:
        yield {**last, "usage": value["usage"]}


def said_by(message, size):
    yield {"role": "assistant", "content": ""}
    for name in ("reasoning_content", "reasoning", "content", "refusal"):
        said = message.get(name)
        if isinstance(said, str):
            for piece in split(said, size):
                yield {name: piece}
        elif said is not None:
            yield {name: said}


def pieces_of(call, size, *, whole, repeat):
    kind = call["type"]
    field = "input" if kind == "custom" else "arguments"
    inner = call[kind]
    if whole or not isinstance(inner[field], str):
        yield call
        return
    named = {**call, kind: {"name": inner["name"], field: ""}}
    yield named
    for piece in split(inner[field], size):
        said = {kind: {**named[kind], field: piece}} if repeat else {kind: {field: piece}}
        yield {**named, **said} if repeat else said


def encode(chunks, *, done=True):
    frames = [
        b"data: %s\n\n" % json.dumps(chunk, ensure_ascii=False).encode("utf-8", "surrogatepass")
        for chunk in chunks
    ]
    return b"".join(frames) + (b"data: [DONE]\n\n" if done else b"")
