"""Recorded-like responses as JSON, and a narrator that tells one as a stream of events."""

import json

MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "phase": "final_answer",
    "content": [
        {
            "type": "output_text",
            "text": "It is 21 °C in Paris. 😀",
            "annotations": [],
            "logprobs": [],
        }
    ],
}
TWO_PARTS = {
    "type": "message",
    "id": "msg_2",
    "role": "assistant",
    "status": "completed",
    "content": [
        {
            "type": "output_text",
            "text": "one",
            "annotations": [{"type": "url_citation", "url": "u"}],
        },
        {"type": "output_text", "text": "two", "annotations": []},
        {"type": "refusal", "refusal": "not that"},
    ],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_0",
    "name": "weather",
    "arguments": '{"city":"Par\\u00e9s","deep":{"a":[1,2]}}',
    "status": "completed",
    "vendor_field": {"kept": True},
}
CALL_2 = {**CALL, "id": "fc_2", "call_id": "call_1", "arguments": '{"city":"Rome"}'}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [
        {"type": "summary_text", "text": "I think."},
        {"type": "summary_text", "text": "More."},
    ],
    "encrypted_content": "gAAAAA==",
    "status": "completed",
}
THOUGHTS = {
    "type": "reasoning",
    "id": "rs_2",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "raw thoughts"}],
}
CUSTOM = {
    "type": "custom_tool_call",
    "id": "ctc_1",
    "call_id": "call_9",
    "name": "sql",
    "input": "select 1",
}
VENDOR = {"type": "acme:thing", "id": "x_1", "payload": [1, {"a": None}]}

USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 18,
}


def response(*output, status="completed", **fields):
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "model": "some-model-2026",
        "output": list(output),
        "usage": USAGE,
        "error": None,
        "incomplete_details": None,
        "billing": {"payer": "x"},
        **fields,
    }


RESPONSES = {
    "text": response(MESSAGE),
    "parts": response(TWO_PARTS),
    "call": response(CALL),
    "parallel": response(REASONING, CALL, CALL_2),
    "both": response(REASONING, MESSAGE, CALL),
    "thoughts": response(THOUGHTS, MESSAGE),
    "custom": response(CUSTOM),
    "vendor": response(VENDOR, MESSAGE),
    "empty": response(),
    "cut": response(
        {**CALL, "status": "incomplete", "arguments": '{"ci'},
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    "bare": {"id": "resp_1", "status": "completed", "output": [MESSAGE]},
}

SPOKEN = {
    "output_text": ("output_text", "content_index", "text"),
    "refusal": ("refusal", "content_index", "refusal"),
    "reasoning_text": ("reasoning_text", "content_index", "text"),
    "summary_text": ("reasoning_summary_text", "summary_index", "text"),
}


def split(text, size):
    return [text[n : n + size] for n in range(0, len(text), size)]


class Narrator:
    """Tells a response event by event, as the service does; `without` leaves fields out."""

    def __init__(self, value, *, size=4, without=(), numbers=True, done=True):
        self.value, self.size, self.without = value, size, without
        self.numbers, self.done, self.count = numbers, done, 0

    def event(self, kind, **fields):
        made = {"type": f"response.{kind}", **fields}
        if self.numbers:
            made["sequence_number"] = self.count
            self.count += 1
        return {key: value for key, value in made.items() if key not in self.without}

    def tell(self):
        head = {**self.value, "status": "in_progress", "output": [], "usage": None}
        yield self.event("created", response=head)
        yield self.event("in_progress", response=head)
        for index, item in enumerate(self.value["output"]):
            yield from self.item(index, item)
        yield self.event(self.value["status"], response=self.value)

    def item(self, index, item):
        blank = {**item, "status": "in_progress"}
        for key, empty in (("content", []), ("summary", []), ("arguments", ""), ("input", "")):
            if key in blank:
                blank[key] = empty
        yield self.event("output_item.added", output_index=index, item=blank)
        where = {"output_index": index, "item_id": item["id"]}
        for name, kind in (
            ("arguments", "function_call_arguments"),
            ("input", "custom_tool_call_input"),
        ):
            if name in item:
                yield from self.text(kind, name, item[name], where)
        for name in ("summary", "content"):
            for n, part in enumerate(item.get(name) or ()):
                yield from self.part(n, part, where)
        yield self.event("output_item.done", output_index=index, item=item)

    def part(self, number, part, where):
        kind, index, field = SPOKEN[part["type"]]
        frame = "reasoning_summary_part" if index == "summary_index" else "content_part"
        here = {**where, index: number}
        yield self.event(f"{frame}.added", **here, part={**part, field: ""})
        yield from self.text(kind, field, part[field], here)
        yield self.event(f"{frame}.done", **here, part=part)

    def text(self, kind, field, whole, where):
        for piece in split(whole, self.size):
            yield self.event(f"{kind}.delta", **where, delta=piece)
        if self.done:
            yield self.event(f"{kind}.done", **where, **{field: whole})


def narrate(value, **options):
    return list(Narrator(value, **options).tell())


def encode(events, *, end=b"", named=True):
    frames = []
    for event in events:
        data = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
        kind = event.get("type")
        name = b"event: %s\n" % kind.encode() if named and isinstance(kind, str) else b""
        frames.append(b"%sdata: %s\n\n" % (name, data))
    return b"".join(frames) + end
