"""Releases: bundled once, verified byte by byte, opened only by a release host."""
