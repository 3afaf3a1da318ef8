"""Make a release again, or steps a second time, and compare digest by digest."""
