"""Data as versions: what each source holds and held, kept and taken out again without running anything."""
