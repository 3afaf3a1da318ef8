"""Verbs for the forge where a team works: render its pipeline, tell it what happened."""
