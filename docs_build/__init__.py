"""Builds the pages of the documentation that the package itself can tell; mkdocs runs it (mkdocs.yml)."""
