"""Answers as values: named quantities with their intervals, tables of them, findings, provenance, lazy pictures."""

from isoflop.answers.answer import SCHEMA_VERSION, Answer, literal
from isoflop.answers.picture import Picture
from isoflop.answers.quantity import Kind, Quantity, of_interval
from isoflop.answers.table import Cell, Column, Table, identifier

__all__ = [
    "SCHEMA_VERSION",
    "Answer",
    "Cell",
    "Column",
    "Kind",
    "Picture",
    "Quantity",
    "Table",
    "identifier",
    "literal",
    "of_interval",
]
