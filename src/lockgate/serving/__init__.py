"""The data plane: check a request, answer it, write it down, then send it; and follow what is wanted."""
