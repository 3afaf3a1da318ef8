"""Mortgage applications: from published data to a decision that had to be fair before it was served."""
