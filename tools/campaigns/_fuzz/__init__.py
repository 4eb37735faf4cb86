"""What is fuzzed: each target takes bytes, and raises where something is wrong."""
