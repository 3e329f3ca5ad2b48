"""Experiments: a model and a corpus in, tables out. Each can be run alone."""
