"""The page's own components: each a Python class beside its script and its style."""
