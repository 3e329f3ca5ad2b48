"""Between audio or notes and the grid of codes that the language model writes."""
