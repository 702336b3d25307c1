"""Capability of models from their scores: an index by item response, its trend over dates, and density."""
