"""Past days through today's policy."""
