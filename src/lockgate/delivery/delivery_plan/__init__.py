"""A whole delivery before it begins: put together, kept as a file, and carried out or refused."""
