"""The studio in the browser: use cases, the page and the worker that generates."""
