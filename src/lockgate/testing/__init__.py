"""In-memory ports with knobs to fail, and the exams that adapters pass: for our tests and for extenders."""
