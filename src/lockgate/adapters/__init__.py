"""One file per outside system. Nobody imports an adapter: each resolves by its name."""
