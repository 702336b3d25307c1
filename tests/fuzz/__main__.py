"""``python -m tests.fuzz --minutes 10``: mutate real files of every kind across all commands, and say what fails.

Every finding is made small and kept in ``--keep`` (default: ``fuzz-findings``); once mended, its file moves to
``tests/fuzz/examples``, where the default tests try it again. One case in ``--fresh`` runs in an interpreter of its
own, the others in forks of one that has imported isoflop.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz import generate
from tests.fuzz.run import Runner
from tests.fuzz.seeds import make


def main():
    """Fuzz until the time is over; exit code 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="of the first case; the clock's without it")
    parser.add_argument("--kind", choices=sorted(generate.KINDS), help="only cases of this kind")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--fresh", type=int, default=40, metavar="COUNT", help="every so manieth case; 0 for none")
    options = parser.parse_args()
    first = int(time.time()) if options.seed is None else options.seed
    began, count, kinds, found, worst = time.monotonic(), 0, Counter(), {}, [0.0, 0]
    fresh, ends = 0, Counter()
    with Runner() as runner, tempfile.TemporaryDirectory() as folder:
        seeds = make(runner, Path(folder))
        while time.monotonic() - began < 60 * options.minutes:
            rng = random.Random(first + count)
            build = generate.case if options.kind is None else generate.KINDS[options.kind]
            case = build(seeds, rng)
            alone = bool(options.fresh) and count % options.fresh == 0 and not case.words[0].startswith("@")
            outcome = runner.run(case, fresh=alone)
            count, fresh = count + 1, fresh + alone
            ends[outcome.code] += 1
            kinds[case.words[0]] += 1
            worst = [max(worst[0], outcome.seconds), max(worst[1], outcome.memory)]
            if count % 250 == 0:
                print(f"... {count} cases, {len(found)} kinds of fault, {worst[0]:.1f} s", flush=True)
            wrong = outcome.wrong_of(case.words)
            if wrong and wrong not in found:
                found[wrong] = case
                print(f"[{first + count - 1}] {wrong}: {' '.join(case.words)[:200]}", flush=True)
                print(f"    {outcome.err.strip()[:400]}", flush=True)
                slow = outcome.waited or outcome.seconds > 5
                case = runner.smallest(case, wrong, tries=5 if slow else 150)
                options.keep.mkdir(parents=True, exist_ok=True)
                name = f"{case.words[0].strip('@')}-{hashlib.sha256(wrong.encode()).hexdigest()[:8]}.json"
                (options.keep / name).write_text(case.to_json())
    told = ", ".join(f"{name} {times}" for name, times in kinds.most_common())
    print(f"{count} cases from seed {first} in {time.monotonic() - began:.0f} s ({told})")
    print(f"answered {ends[0]}, refused {ends[2]}; {fresh} in an interpreter of their own")
    print(f"longest {worst[0]:.1f} s of processor time, highest {worst[1] / 1e6:.0f} MB; {len(found)} kinds of fault")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
