"""What a forge (GitLab, or another) is told: pure functions from records to the text that it reads."""
