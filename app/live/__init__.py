"""Live: loops that never stop, while the model plays the next version of one stem at a time."""
