"""The judge itself: the schema finds what is wrong and names the place."""

from pathlib import Path

MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "phase": "final_answer",
    "content": [{"type": "output_text", "text": "four", "annotations": []}],
}


def test_the_schema_lies_here_with_its_licence():
    folder = Path(__file__).parent.parent / "data" / "open_responses"

    assert "Apache License" in (folder / "LICENSE.txt").read_text()


def test_the_schema_knows_twenty_four_events(schema):
    assert len(schema.events) == 24


def test_a_message_with_a_phase_is_well_formed(schema):
    assert schema.faults("ItemField", MESSAGE) == []


def test_a_fault_deep_in_a_union_is_named_by_its_place(schema):
    wrong = {**MESSAGE, "content": [{"type": "output_text", "text": 4, "annotations": []}]}
    event = {
        "type": "response.output_item.done",
        "sequence_number": 3,
        "output_index": 0,
        "item": wrong,
    }

    assert schema.faults("ItemField", wrong) == ["content.0.text: 4 is not of type 'string'"]
    assert schema.faults(schema.events[event["type"]], event) == [
        "item.content.0.text: 4 is not of type 'string'"
    ]


def test_a_missing_key_is_named(schema):
    wrong = {key: value for key, value in MESSAGE.items() if key != "status"}

    assert schema.faults("ItemField", wrong) == ["(root): 'status' is a required property"]


def test_the_flat_error_event_is_not_of_this_schema(schema):
    flat = {"type": "error", "sequence_number": 1, "code": "server_error", "message": "x"}
    nested = {
        "type": "error",
        "sequence_number": 1,
        "error": {"type": "server_error", "code": None, "message": "x", "param": None},
    }

    assert schema.faults("ErrorStreamingEvent", flat)
    assert schema.faults("ErrorStreamingEvent", nested) == []
