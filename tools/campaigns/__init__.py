"""The long campaigns, each a module with `options` and `run`."""
