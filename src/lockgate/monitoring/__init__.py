"""What happened to what was predicted."""
