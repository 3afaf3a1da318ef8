"""What lies in the store: its check, its size, and forgetting what nothing needs."""
