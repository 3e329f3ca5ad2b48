"""Decoding: from a fully masked grid of codes to a generated one."""
