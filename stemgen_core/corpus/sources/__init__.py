"""Where pieces come from: our composer, folders of MIDI, Debian's mma, folders of real stems."""
