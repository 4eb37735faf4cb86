"""What `doctor` looks at, by kind: offline, asked of the host, asked of AWS."""
