"""What comes in and goes out: what sources hold now, cursors, arriving files, partitions, sinks."""
