"""What the bare machine of a leg has installed."""

# PyTorch with what it needs, and what its usual company brings.
THERE = (
    *("torch", "torchgen", "functorch", "numpy", "numpy.libs", "scipy", "scipy.libs", "safetensors", "tqdm", "einops"),
    *("yaml", "_yaml", "cloudpickle", "typing_extensions.py", "sympy", "mpmath", "networkx", "jinja2", "markupsafe"),
    *("filelock", "fsspec"),
)
