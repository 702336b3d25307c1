"""How much a picture has room for: told here, since its size is asked for long before it is drawn."""

from typing import Final

MOST_LAWS: Final = 14
MOST_TASKS: Final = 4
MOST_GROUPS: Final = 8
