"""What a child process is told of the environment: what it needs to run, by name, and no keys."""

import os
import re
from typing import Final

__all__ = ["surroundings"]

_RUNS: Final = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|PWD|TMPDIR|TMP|TEMP"
    r"|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_[A-Z_]+|VIRTUAL_ENV|XDG_[A-Z_]+"
    r"|PYTHON[A-Z]*|COVERAGE_[A-Z_]+|(OMP|GGML|MKL|OPENBLAS)_[A-Z_]+|(CUDA|HIP|ROCR)_VISIBLE_DEVICES"
    r"|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE"
)
_FETCHES: Final = re.compile(
    r"PIP_[A-Z_]+|UV_[A-Z_]+|(?i:https?_proxy|all_proxy|no_proxy)"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)


def surroundings(*, fetches: bool = False) -> dict[str, str]:
    """The variables that a child gets.

    Args:
        fetches: Whether it asks a package registry, and needs to know by which way.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if _RUNS.fullmatch(name) or (fetches and _FETCHES.fullmatch(name))
    }
