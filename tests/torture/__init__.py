"""Proofs of safety and durability; docs/testing.md lists them."""
