"""One file per verb: Project + arguments → record. The only layer that knows engine and stages together."""
