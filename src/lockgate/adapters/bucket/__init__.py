"""Store and results on whatever keeps named bytes: a bucket, a package registry."""
