"""Answers as text, markup and pictures: one layout, several media."""
