"""The brain that is a real small model, run by llama.cpp."""

from toolstone.local.brains.llama.brain import Llama

__all__ = ["Llama"]
