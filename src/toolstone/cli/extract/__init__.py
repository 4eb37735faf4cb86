"""`toolstone extract`: its options, what they ask for, and what is seen while it works."""
