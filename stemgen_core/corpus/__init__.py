"""Music to learn from: a symbolic generator, rendering, pieces on disk."""
