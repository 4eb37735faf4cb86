"""Cassettes: exchanges with a model, recorded once and replayed offline."""
