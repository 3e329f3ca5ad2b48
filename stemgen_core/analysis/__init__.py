"""What can be measured on audio: tempo, beats, key, offset, level."""
