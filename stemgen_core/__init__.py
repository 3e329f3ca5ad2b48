"""StemGen's core: a model that listens to a mix and adds the stem you ask for."""
