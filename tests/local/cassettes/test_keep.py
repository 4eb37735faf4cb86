"""A cassette keeps what makes the answer, by name: no header, no key, nothing nobody has listed."""

import json

from toolstone.local.cassettes.keep import REQUEST, keep_error, keep_request, keep_response

KEY = "sk-verysecretkey1234"
BODY = {
    "model": "m",
    "input": "hello",
    "instructions": "be brief",
    "temperature": 0.5,
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
}


def test_what_makes_the_answer_is_kept():
    assert keep_request(BODY) == BODY


def test_who_asked_and_how_it_was_carried_is_left_out():
    said = {
        "metadata": {"customer": "Ann", "key": KEY},
        "user": "ann",
        "safety_identifier": "ann",
        "prompt_cache_key": "tenant-7",
        "store": False,
        "stream": True,
        "background": True,
        "service_tier": "flex",
        "conversation": "conv_1",
    }
    assert keep_request({**BODY, **said}) == BODY
    assert not REQUEST & said.keys()


def test_a_field_that_nobody_listed_is_left_out():
    assert keep_request({**BODY, "x_api_token": KEY, "future": 1}) == BODY


def test_of_a_tool_of_somebody_elses_server_only_listed_fields_are_kept():
    tool = {
        "type": "mcp",
        "server_label": "docs",
        "server_url": f"https://ann:{KEY}@host/mcp?token={KEY}",
        "authorization": KEY,
        "headers": {"x-api-key": KEY},
        "allowed_tools": ["search"],
    }
    space = {"type": "namespace", "name": "n", "tools": [{**tool, "name": "inner"}]}
    kept = keep_request({"tools": [tool, space]})
    mine = {"type": "mcp", "server_label": "docs", "allowed_tools": ["search"]}
    inner = {**mine, "name": "inner"}
    assert kept == {"tools": [mine, {"type": "namespace", "name": "n", "tools": [inner]}]}


def test_files_become_digests_and_links_lose_what_may_be_a_key():
    parts = [
        {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="},
        {"type": "input_image", "image_url": f"https://ann:pw@host/p.png?sig={KEY}#x"},
        {"type": "input_file", "file_data": "aGVsbG8=", "filename": "a.pdf"},
        {"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}},
        {"type": "input_file", "file_url": "http://[broken"},
    ]
    item = {"type": "message", "role": "user", "content": parts}
    kept = keep_request({"input": [item]})["input"][0]["content"]

    assert "aGVsbG8" not in json.dumps(kept)
    assert kept[0]["image_url"].startswith("data:image/png;sha256,")
    assert kept[1]["image_url"] == "https://host/p.png"
    assert kept[2] == {**parts[2], "file_data": kept[3]["input_audio"]["data"]}
    assert kept[4]["file_url"] == "a URL that is none"
    assert keep_request({"input": [item]})["input"][0]["content"] == kept


def test_what_is_no_tool_and_no_text_is_kept_as_it_is():
    odd = {"tools": ["odd", 3], "input": [{"type": "vendor:thing", "deep": [1, None, True]}]}
    assert keep_request(odd) == odd


def test_another_file_has_another_digest():
    def kept(data):
        return keep_request({"input": [{"type": "input_file", "file_data": data}]})

    assert kept("YQ==") != kept("Yg==")


def test_what_looks_like_a_key_is_struck_out_of_anybodys_words():
    for secret in (KEY, "Bearer abcdef123456789", "AKIAABCDEFGH12345678"):
        kept = keep_request({"input": f"use {secret} please"})
        assert kept == {"input": "use [redacted] please"}
        item = {"type": "message", "content": [{"type": "output_text", "text": f"{secret}."}]}
        assert secret not in json.dumps(keep_response({"output": [item]}))


def test_words_that_only_sound_like_a_key_stay():
    said = "basic arithmetic, the bearer understands"
    assert keep_request({"input": said}) == {"input": said}


def test_of_a_response_the_time_and_the_echoes_are_left_out():
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "completed_at": 2,
        "status": "completed",
        "model": "m-2026",
        "output": [],
        "usage": {"input_tokens": 1},
        "error": None,
        "service_tier": "default",
        "metadata": {"customer": "Ann"},
        "instructions": "be brief",
        "user": "ann",
    }
    assert keep_response(response) == {
        "id": "resp_1",
        "status": "completed",
        "model": "m-2026",
        "output": [],
        "usage": {"input_tokens": 1},
        "service_tier": "default",
    }


def test_an_error_is_kept_with_its_status_and_one_clean_line():
    error = {
        "message": f"bad key {KEY}\nsecond line",
        "type": "invalid_request_error",
        "code": "invalid_api_key",
        "headers": {"authorization": KEY},
    }
    assert keep_error(401, error) == {
        "status": 401,
        "error": {
            "message": "bad key [redacted] second line",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        },
    }
