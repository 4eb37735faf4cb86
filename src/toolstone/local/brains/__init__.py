"""The brains that come with the endpoint: a script, and a real small model."""
