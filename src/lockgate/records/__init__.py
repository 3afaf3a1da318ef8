"""What exists: frozen records, no I/O, no clock. A record lives here only if two packages exchange it."""
