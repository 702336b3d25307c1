"""The local page: one team, its runs, its budget. ``serve`` starts it; nothing leaves the machine."""
