"""The story: the commands a person would type, in order, with an explanation. Nothing here is needed by a project."""
