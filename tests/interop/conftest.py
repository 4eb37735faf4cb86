"""The rows of `tools/interop.py`, asked of llama.cpp's own server with the real small model."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
