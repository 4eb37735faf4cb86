"""What a brain can do is held against what a request asks of it."""

from collections.abc import Collection, Mapping
from typing import Any

from toolstone.local.brain import Brain, RefusalError
from toolstone.local.request import refuse

__all__ = ["check_brain", "check_model"]


def check_brain(brain: Brain, body: Mapping[str, Any]) -> bool:
    """Check that a request asks nothing that neither the brain nor this server can do.

    Returns:
        Whether nobody but this server may have sealed what comes in.

    Raises:
        RefusalError: 404 for a model, 400 for a tool that somebody else would have to run or a
            file that nobody here has.
    """
    check_model(brain, body["model"])
    hosted = _hosted(brain)
    if "*" in hosted:
        return False
    for index, tool in enumerate(body.get("tools") or ()):
        if tool["type"] not in ("function", "custom", *hosted):
            message = (
                f"this server cannot run {tool['type']!r}; offer a function that does it, "
                "or ask through a brain that passes it on"
            )
            refuse("invalid_value", message, f"tools[{index}].type")
    _check_files(body.get("input"))
    return True


def check_model(brain: Brain, model: str) -> None:
    """Check that the brain answers to a name.

    Raises:
        RefusalError: 404.
    """
    if brain.models and model not in brain.models:
        message = f"the model {model!r} is not here; known: {', '.join(brain.models)}"
        raise RefusalError(404, "model_not_found", message, "model")


def _hosted(brain: Brain) -> Collection[str]:
    """Give what a brain hosts if it is `Hosting`; asking a protocol takes longer than an answer."""
    hosted: Collection[str] = getattr(brain, "hosted", ())
    return hosted


def _check_files(said: object) -> None:
    for index, item in enumerate(said if isinstance(said, list) else ()):
        for key in ("content", "output"):
            parts = item.get(key)
            for at, part in enumerate(parts if isinstance(parts, list) else ()):
                if part.get("file_id"):
                    message = "this server keeps no files; send the data itself, or a URL"
                    refuse("invalid_value", message, f"input[{index}].{key}[{at}].file_id")
