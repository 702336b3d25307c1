"""The README's picture: the runs in the box, the law fitted to them, and its envelope two decades beyond.

python examples/loss_against_compute.py [OUT.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

from isoflop import bootstrap, datasets, fit, law
from isoflop.plots import loss_against_compute, new_axes, save


def main() -> None:
    """Fit, draw and save."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/loss_against_compute.png")
    ensemble = bootstrap(fit(law("chinchilla"), datasets.load("python-bytes")))
    save(loss_against_compute(ensemble, new_axes()), out)
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
