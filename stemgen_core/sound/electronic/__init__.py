"""A synthesiser of our own for electronic sounds: subtractive and FM voices, and a drum machine."""
