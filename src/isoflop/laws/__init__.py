"""What we believe: laws as formulas, from the catalogue or from text."""

from isoflop.laws.from_text import law
from isoflop.laws.law import Input, Law, Param, Prepared, Published, Searched, catalogue
from isoflop.laws.restrict import fix, tie

__all__ = ["Input", "Law", "Param", "Prepared", "Published", "Searched", "catalogue", "fix", "law", "tie"]
