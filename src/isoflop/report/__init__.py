"""Results as cards, and cards as something to read."""
