"""What a message may hold besides plain text, and how it goes to the wire."""

import base64
import os
from pathlib import Path

import pytest

from toolstone import Agent, File, Image, InputError, Text, developer, limits, parts, user
from toolstone.items import input_items
from toolstone.testing import Scripted, call

PNG = b"\x89PNG\r\n\x1a\n"
TEXT = {"type": "input_text", "text": "What is this?"}


def data_url(kind, data):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(PNG)
    return path


def test_a_user_message_holds_text_and_an_image(picture):
    message = user(["What is this?", Image(path=picture)])

    part = {"type": "input_image", "image_url": data_url("image/png", PNG)}
    assert message.raw == {"type": "message", "role": "user", "content": [TEXT, part]}
    assert message.text == "What is this?"


def test_a_part_alone_is_a_message_too():
    assert developer(Text("Be brief.")).raw["content"] == [
        {"type": "input_text", "text": "Be brief."}
    ]


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (Text("a"), {"type": "input_text", "text": "a"}),
        (
            Text("a", cache_breakpoint=True),
            {
                "type": "input_text",
                "text": "a",
                "prompt_cache_breakpoint": {"mode": "explicit"},
            },
        ),
        (
            Text("a", cache_breakpoint="30m"),
            {
                "type": "input_text",
                "text": "a",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"},
            },
        ),
        (Image(url="https://e.org/a.png"), {"type": "input_image", "image_url": "https://e.org/a.png"}),
        (
            Image(file_id="file_1", detail="original"),
            {"type": "input_image", "file_id": "file_1", "detail": "original"},
        ),
        (
            Image(data=b"RIFF....WEBPVP8 "),
            {"type": "input_image", "image_url": data_url("image/webp", b"RIFF....WEBPVP8 ")},
        ),
        (
            Image(data=b"RIFF....WAVE"),
            {"type": "input_image", "image_url": data_url("image/png", b"RIFF....WAVE")},
        ),
        (
            Image(data=bytearray(b"?"), media_type="image/heic"),
            {"type": "input_image", "image_url": data_url("image/heic", b"?")},
        ),
        (File(file_id="file_1"), {"type": "input_file", "file_id": "file_1"}),
        (
            File(url="https://e.org/a.pdf", name="a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_url": "https://e.org/a.pdf"},
        ),
        (
            File(url="data:text/plain;base64,aGk="),
            {"type": "input_file", "filename": "file", "file_data": "data:text/plain;base64,aGk="},
        ),
        (
            File(data=b"%PDF-1.7", detail="low"),
            {
                "type": "input_file",
                "filename": "file.pdf",
                "file_data": data_url("application/pdf", b"%PDF-1.7"),
                "detail": "low",
            },
        ),
    ],
    ids=repr,
)  # fmt: skip
def test_a_part_as_the_wire_has_it(part, wire):
    assert part.render() == wire


def test_the_content_of_a_part_is_in_no_repr():
    shown = repr([Text("secret"), Image(data=b"secret"), File(url="https://secret.example")])
    assert "secret" not in shown


def test_a_file_is_read_when_the_message_is_made_and_not_before(tmp_path):
    report = File(path=tmp_path / "report.txt")
    with pytest.raises(InputError, match=r"File\(path='.*report.txt'\) cannot be read: FileNotF"):
        user([report])

    (tmp_path / "report.txt").write_text("hi")

    assert user([report]).parts == [
        {
            "type": "input_file",
            "filename": "report.txt",
            "file_data": data_url("text/plain", b"hi"),
        }
    ]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: Image(), "an Image with 0 of path="),
        (lambda _: File(data=b"", file_id="f"), "a File with 2 of path="),
        (lambda _: Image(data="aGk="), "an Image: data= is a 'str'; give bytes"),
        (lambda folder: File(path=folder), "cannot be read: IsADirectoryError"),
        (lambda _: Image(data=b""), "an Image is empty"),
        (lambda _: File(data=b""), "a File is empty"),
        (lambda folder: File(path=written(folder / "none.txt", b"")), r"none.txt'\) is empty"),
        (lambda _: Image(url="file:///etc/passwd"), "its URL of 18 .* for a file .* give path="),
        (lambda _: File(url="file:///etc/passwd"), "its URL of 18 .* for a file .* give path="),
        (lambda _: File(url="report.pdf"), "begins with none of 'https:', 'http:' and 'data:'"),
        (
            lambda folder: Image(path=written(folder / "x.pdf", b"%PDF-1.7")),
            r"x.pdf'\) has the media type 'application/pdf', .* give it as a File",
        ),
        (lambda _: Image(data=PNG, media_type="png"), "an Image has the media type 'png'"),
    ],
)
def test_a_part_that_cannot_be_is_refused(make, says, tmp_path):
    with pytest.raises(InputError, match=says):
        user([make(tmp_path)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the file system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a file"):
        user([Image(path=tmp_path / "pipe")])


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "IMAGE_URL_CHARACTERS", 40)
    monkeypatch.setattr(limits, "FILE_DATA_CHARACTERS", 40)
    monkeypatch.setattr(limits, "TEXT_CHARACTERS", 40)
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * 31)

    with pytest.raises(InputError, match=r"large.bin'\) has 31 bytes, and at most 30 can be sent"):
        user([File(path=large)])
    with pytest.raises(InputError, match="an Image has 31 bytes"):
        user([Image(data=b"x" * 31)])
    with pytest.raises(InputError, match="an Image: its URL has 41 characters, at most 40"):
        user([Image(url=f"https://{'x' * 33}")])
    for text in ("x" * 41, ["x" * 41], Text("x" * 41)):
        with pytest.raises(InputError, match="a text of 41 characters: at most 40"):
            user(text)
    assert user([File(data=b"x" * 30)]).parts


@pytest.mark.parametrize("content", [3, [3], None])
def test_content_of_another_kind_is_refused(content):
    with pytest.raises(InputError, match="give text, Text, Image, File"):
        user(content)


def test_input_gathers_text_and_parts_that_stand_side_by_side():
    first, answer, last = input_items(
        [
            "What is this?",
            Image(file_id="f"),
            {"role": "assistant", "content": "A dog."},
            "Sure?",
        ]
    )
    assert first.raw["content"] == [TEXT, {"type": "input_image", "file_id": "f"}]
    assert (answer.text, last.raw["content"]) == ("A dog.", "Sure?")
    assert input_items(Image(file_id="f"))[0].raw["content"] == [first.raw["content"][1]]
    assert input_items(["Hi"]) == input_items("Hi")
    with pytest.raises(InputError, match="input holds a 'int'"):
        input_items([3])


def test_every_part_says_what_it_is():
    assert all(getattr(parts, name).__doc__ for name in ("Text", "Image", "File"))


async def test_an_agent_is_asked_about_an_image_and_sees_the_one_a_tool_returns(picture):
    def photograph() -> list:
        """Take a photograph."""
        return ["here:", Image(path=Path(picture))]

    model = Scripted(call("photograph"), "A cat.")
    agent = Agent(model, tools=[photograph])

    result = await agent.run(["Compare", Image(path=picture)])

    image = {"type": "input_image", "image_url": data_url("image/png", PNG)}
    sent = model.requests[-1].items
    assert sent[0].raw["content"] == [{"type": "input_text", "text": "Compare"}, image]
    assert sent[2].output == [{"type": "input_text", "text": "here:"}, image]
    assert result.output == "A cat."
