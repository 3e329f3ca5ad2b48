"""A package, so that `tests` means these and not what some installed package left under that name."""
