"""The command line with everything: the core's commands and those of the studio's data."""
