"""The sampler: notes to audio with soundfonts."""
