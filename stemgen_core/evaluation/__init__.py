"""Does it listen? One module per family of metrics."""
