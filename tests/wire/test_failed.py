"""Errors of a library as causes of ours: without their frames, and nothing else loses its own."""

import socket

import pytest

from toolstone import Responses, TransportError
from toolstone.wire import Retry
from toolstone.wire.failed import frameless


async def test_what_the_caller_is_handling_keeps_its_traceback():
    with socket.socket() as nobody:  # bound, and nobody listens
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        model = Responses(base_url=url, model="m", retry=Retry(attempts=1))
        try:
            {}["the caller's own"]
        except LookupError as error:
            mine = error
            with pytest.raises(TransportError) as failed:
                await model.create({"input": "x"})

    assert mine.__traceback__ is not None
    assert failed.value.__cause__.__traceback__ is None


def test_an_error_and_all_behind_it_lose_their_frames():
    def inner():
        try:
            {}["first"]
        except KeyError:
            raise ValueError("second")  # noqa: B904  its context is what is looked at

    try:
        inner()
    except ValueError as error:
        bare = frameless(error)

    assert bare.__traceback__ is None
    assert bare.__context__.__traceback__ is None
