"""GitLab by its API."""
