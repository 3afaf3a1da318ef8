"""Environments: what is wanted, what is live, how to go back."""
