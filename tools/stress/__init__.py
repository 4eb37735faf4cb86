"""The same faults for other toolkits: what they do beside ours."""
