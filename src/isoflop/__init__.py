"""isoflop: scaling laws done carefully."""
