"""Cases 5 to 11 of the Open Responses compliance suite, over a WebSocket, in our own words."""


def create(text, **fields):
    said = [{"type": "message", "role": "user", "content": text}] if isinstance(text, str) else text
    return {"type": "response.create", "store": False, "input": said, **fields}


def test_5_one_turn_ends_completed(talk):
    with talk() as socket:
        [*_, last] = socket.turn(create("Count to five."))

    assert last["response"]["status"] == "completed"


def test_6_turns_follow_each_other_on_one_socket(talk):
    with talk() as socket:
        turns = [socket.turn(create(f"Say {word}.")) for word in ("first", "second")]

    assert [turn[-1]["type"] for turn in turns] == ["response.completed"] * 2
    assert turns[0][-1]["response"]["id"] != turns[1][-1]["response"]["id"]


def test_7_a_turn_goes_on_from_one_that_is_not_stored(talk):
    with talk() as socket:
        first = socket.turn(create("The code word is cobalt."))[-1]["response"]
        second = socket.turn(create("Which word?", previous_response_id=first["id"]))

    assert second[-1]["response"]["status"] == "completed"
    assert second[-1]["response"]["previous_response_id"] == first["id"]


def test_8_another_socket_knows_nothing_of_it_and_stays_open(talk):
    with talk() as socket:
        first = socket.turn(create("The code word is copper."))[-1]["response"]
    with talk() as socket:
        missed = socket.turn(create("Which word?", previous_response_id=first["id"]))
        afresh = socket.turn(create("Then from the start."))

    assert code_of(missed) == "previous_response_not_found"
    assert afresh[-1]["type"] == "response.completed"


def test_9_an_invented_predecessor_is_not_found(talk):
    with talk() as socket:
        turn = socket.turn(create("Go on.", previous_response_id="resp_never_made"))

    assert code_of(turn) == "previous_response_not_found"


def test_10_a_continuation_that_fails_is_forgotten(talk):
    lost = [{"type": "function_call_output", "call_id": "call_never_made", "output": "x"}]
    with talk() as socket:
        first = socket.turn(create("The code word is ember."))[-1]["response"]
        failed = socket.turn(create(lost, previous_response_id=first["id"]))
        again = socket.turn(create("Once more.", previous_response_id=first["id"]))

    assert code_of(failed) == "invalid_value"
    assert code_of(again) == "previous_response_not_found"


def test_11_a_compacted_history_starts_a_new_chain(talk, served):
    parts = [("user", "input_text", "We launch."), ("assistant", "output_text", "Noted.")]
    said = [
        {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        for role, kind, text in (*parts, ("user", "input_text", "On Tuesday."))
    ]
    compacted = served.send("POST", "/responses/compact", json={"model": "smollm2", "input": said})
    window = [*compacted["output"], {"type": "message", "role": "user", "content": "When?"}]
    with talk() as socket:
        turn = socket.turn(create(window, tools=[]))

    assert turn[-1]["response"]["status"] == "completed"


def code_of(turn):
    [event] = turn
    assert event["status"] == 400
    return event["error"]["code"]
