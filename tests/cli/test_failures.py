"""What a person reads when a command fails: the message, and what was behind it, once."""

import pytest
import typer

from toolstone.cli.failures import reported
from toolstone.errors import ConfigError


def told(message, cause, capsys):
    with pytest.raises(typer.Exit), reported(debug=False):
        raise ConfigError(message) from cause
    return capsys.readouterr().err


def test_a_cause_that_the_message_has_already_is_not_told_again(capsys):
    denied = OSError(13, "Permission denied")
    assert told(f"cannot read it: {denied}", denied, capsys).count("Permission denied") == 1
    assert told("cannot read it: Permission denied", denied, capsys).count("Permission") == 1


def test_a_cause_that_the_message_has_not_is_told(capsys):
    said = told("cannot read it", OSError(13, "Permission denied"), capsys)
    assert said.endswith("\nbecause of PermissionError: [Errno 13] Permission denied\n")
    assert told("cannot read it", EOFError(), capsys).endswith("\nbecause of EOFError: \n")
