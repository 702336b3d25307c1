"""One module for each kind of result: the result → its card."""
