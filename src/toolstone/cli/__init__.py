"""The command line: run an agent, talk to it, look at its tools, serve a model on this machine."""
