"""The transformer that listens, readable from top to bottom."""
