"""Judging a release: what it is judged on, measuring, one gate or all of them, and who may sign a result."""
