"""Predictable function-calling agents over imperfect Responses endpoints."""
