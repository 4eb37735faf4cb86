"""The brains that come with the endpoint: one that follows a script, and one that is a real model."""
