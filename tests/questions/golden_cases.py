"""The commands whose ``--json`` is kept in ``golden/``, all on public tables read in place.

In the words of a command ``{tables}`` is the folder of public tables and ``{out}`` a folder that is empty before it;
``{examples}`` is the same folder with files of the documentation of which no public table has the columns.

``ISOFLOP_DATASETS=FOLDER python -m tests.questions.golden_cases`` renews the files after a change that is meant; the
difference in version control then shows what the change did to every answer. Names renew those alone.
"""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner
from docs_build.runner import write_attention, write_networks, write_selection

from isoflop.cli import isoflop
from isoflop.questions import questions

GOLDEN = Path(__file__).parent / "golden"
EPOCH = ["epoch-chinchilla", "--where", "loss < 3.44"]
FITTED = [*EPOCH, "--law", "chinchilla", "--draws", "50"]
GROUPED = ["--law", "chinchilla", "--by", "family", "--share", "all but E", "--pool", "E"]
CLIP = "{tables}/clip-mammut-comparison/ade20k_and_train_results.parquet"
FRONTIER = [
    "--derive",
    "error = 1 - acc1",
    "--law",
    "error = E + A*(C + B)^(-a)",
    "--bins",
    "2",
    "--objective",
    "raw-lsq",
]
SEVERAL = ["epoch-chinchilla", "parscale", "porian-isoflop/rw-cosine", "--draws", "20"]  # the second has no C
# The run of epoch-chinchilla with most compute, 1.3e22 FLOPs, predicted by the runs with less than a tenth of it.
BELOW = ["epoch-chinchilla", "--where", "C < 1.3e21", "--law", "chinchilla", "--draws", "50"]
REGISTERED = ["register", *BELOW, "--at", "N=6.7956e9", "--at", "D=3.1776e11"]
# Accuracy of the 13B model: 0.832 measured, 0.853 predicted by its authors.
HELLASWAG = "hellaswag=bpb/hellaswag_val_rc_5shot_bpb,acc/hellaswag_val_rc_5shot_len_norm"
HALF = ["multipower-lr", "--where", "N == 100e6 and schedule == 'cosine_72000' and step < 36000"]  # it ended at 2.863
# Three corpora at 20 tokens a parameter.
GADRE = [
    "--by",
    "dataset_name",
    "--response",
    "err_hellaswag",
    "--response",
    "err_arc_easy",
    "--where",
    "abs(tok_mult - 20) < 0.1",
]
# Six corpora at eight budgets, each at its best size.
CORPORA = [
    "--by",
    "data",
    "--x",
    "iso_flop",
    "--best=-eval/downstream/hellaswag_test_len_norm",
    "--per",
    "data,iso_flop",
    "--response",
    "eval/downstream/hellaswag_test_len_norm",
    "--better",
    "higher",
]
CASES = {
    "check": ["check", *EPOCH],
    "fit": ["fit", *FITTED],
    "fit-groups": ["fit", "overtraining-gadre", *GROUPED, "--draws", "50"],
    "diagnose": ["diagnose", *FITTED],
    "laws": ["laws", "chinchilla"],
    "laws-compare": ["laws", "--compare", "{out}/fit.json"],
    "forecast": ["forecast", *FITTED, "--at", "N=70B", "--at", "D=1.4T"],
    "plan": ["plan", *FITTED, "--budget", "5.76e23"],
    "tune": ["tune", "steplaw/dense", "--at", "N=1B", "--at", "D=100B", "--draws", "50"],
    "probe": ["probe", "{tables}/multipower-lr/gpt100M_20B_3schedules_every_step.parquet", "--array", "columns"],
    "explain": ["explain", *FITTED, "--zipf", "0.35"],
    "regions": ["regions", "revisiting-benchmark/translation"],
    "plan-loss": ["plan", *FITTED, "--loss", "2.1", "--subject-to", "N <= 4B"],
    "plan-streams": [
        "plan",
        "parscale",
        "--column",
        "loss=loss_stack_v2_python",
        "--law",
        "parscale",
        "--draws",
        "50",
        "--minimize",
        "N",
        "--loss",
        "1.05",
        "--menu",
        "P=1,2,4,8",
    ],
    "plan-encoder": ["plan", "ghorbani:E=1.2,A=40,p_e=0.13,p_d=0.19", "--budget", "1e9"],
    "methods": ["methods", *FITTED, "--budget", "5.76e23"],
    "repeat": ["repeat", "datablations", "--unique", "100B", "--budget", "1e23", "--draws", "50"],
    "reconcile": ["reconcile", "python-bytes", "--draws", "50"],
    "design": [
        "design",
        "epoch-chinchilla",
        "--where",
        "loss < 3.44 and C < 1e20",
        "--question",
        "N* at 1e22",
        "--candidates",
        "N=50M:5B:6",
        "--candidates",
        "D=1B:100B:6",
        "--spend",
        "1e21",
        "--law",
        "chinchilla",
    ],
    "attention": ["attention", "{examples}/attention32.npz", "{examples}/attention128.npz", "--trained", "32"],
    "correlate": [
        *("correlate", "{examples}/networks.csv", "--response", "gap", "--by", "setting"),
        *("--join", "{examples}/information.csv", "--given", "params"),
    ],
    "hardness": ["hardness", "{examples}/examples.npz", "--keep", "0.5"],
    "prune": ["prune", "{examples}/pruned.csv", "--at", "400", "--at", "2K", "--draws", "50"],
    "curate": ["curate", "{examples}/pools.csv", "--at", "500", "--at", "5K", "--draws", "50"],
    "transport": [
        *("transport", "{examples}/sources.csv", "--samples", "{examples}/embedded.npz"),
        *("--at", "2K", "--most", "100", "--cap", "news=0.5", "--draws", "50"),
    ],
    "simulate": [
        "simulate",
        "--constants",
        "epoch",
        "--constants",
        "E=1.7",
        "--design",
        "N=1M:1B:3",
        "--design",
        "D=20M:20B:3",
        "--seeds",
        "2",
        "--outliers",
        "0.1",
        "--drift",
        "0.01",
        "-o",
        "{out}/simulated.csv",
    ],
    "cost": [
        "cost",
        "--layers",
        "80",
        "--width",
        "8192",
        "--heads",
        "64",
        "--vocab",
        "32000",
        "--context",
        "2048",
        "--tokens",
        "1.4T",
    ],
    "backtest": ["backtest", *EPOCH, "--law", "chinchilla", "--draws", "50"],
    "rank": ["rank", *EPOCH, "--law", "chinchilla", "--law", "kaplan", "--draws", "50"],
    "influence": ["influence", *FITTED, "--budget", "5.76e23"],
    "sensitivity": ["sensitivity", *FITTED, "--budget", "5.76e23"],
    "compare-groups": ["compare", CLIP, "--by", "namespace", *FRONTIER, "--draws", "50"],
    "compare": ["compare", "chinchilla:hoffmann", "chinchilla:epoch", "--budget", "5.76e23"],
    "shape": ["shape", "{tables}/overtraining-gadre/runs_with_downstream_colpret.csv", *GADRE],
    "decide": ["decide", "{tables}/loss-to-loss/sweep.csv", *CORPORA],
    "track": [
        "track",
        "{tables}/pythia-evals/pythia_v1_evals_long.parquet",
        *("--where", "shots == 'zero-shot' and metric == 'acc'"),
        *("--task-column", "task", "--score", "value", "--error", "stderr", "--by", "model", "--x", "step"),
        *("--task", "lambada_openai,piqa,sciq,arc_easy,winogrande,logiqa"),
    ],
    "transfer": [
        *("transfer", "{tables}/loss-to-loss/sweep.csv", "--by", "data"),
        *("--from-group", "fineweb-100b", "--from", "eval/fineweb_100b_val/CrossEntropyLoss"),
        *("--to-group", "starcoder", "--to", "eval/starcoder_val/CrossEntropyLoss"),
        *("--measured", "2.6", "--at", "N=3309980160", "--at", "D=50352769083", "--draws", "50"),
    ],
    "capability": [
        "capability",
        "{tables}/sloth/data_v2.csv",
        *("--column", "N=#Params (B)", "--by", "Model", "--family", "Family", "--scale", "N", "--draws", "20"),
        *("--task", "IFEval,BBH,MATH Lvl 5,GPQA,MUSR,MMLU-PRO"),
    ],
    "mixture": [
        *("mixture", "{tables}/data-mixing-laws/losses_long.csv.gz", "--shares", "proportions"),
        *("--task-column", "val_domain", "--draws", "20"),
        *("--where", "experiment == 'RedPajama' and model_size == '160M' and step == 30000"),
    ],
    "calibrate": ["calibrate", *SEVERAL, "-o", "{out}/prior.toml"],
    "validate": ["validate", *SEVERAL],
    "evals": [
        "evals",
        "{tables}/sloth/data_v2.csv",
        "--task",
        "MMLU-PRO",
        "--task",
        "GPQA",
        "--where",
        "`Family` == 'pythia'",
        "--chance",
        "MMLU-PRO=0.1",
        "--chance",
        "GPQA=0.25",
    ],
    "datasets": ["datasets"],
    "import": ["import", "{tables}/multipower-lr/loss_curves.csv", "-o", "{out}/store"],
    "register": [*REGISTERED, "--note", "the run with most compute", "-o", "{out}/prediction.json"],
    "score": ["score", "{out}/prediction.json", "--runs", "epoch-chinchilla"],
    "report": ["report", *FITTED, "--budget", "5.76e23", "-o", "{out}/report.html"],
    "downstream": ["downstream", "olmo-ladder", "--task", HELLASWAG, "--at", "N=13B", "--at", "D=5T", "--draws", "50"],
    "finish": ["finish", *HALF, "--steps", "72000", "--schedule", "cosine:0.1", "--draws", "50"],
}
# A command that must have run before, in the same folder.
BEFORE = {"score": CASES["register"], "laws-compare": ["fit", *FITTED, "--save", "{out}/fit.json"]}


MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\+00:00| UTC)")


def printed(name, tables):
    """What the command of a case prints, as plain values, without the version of the package."""
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as out:
        places = {"{out}": out, "{tables}": str(tables), "{examples}": out}
        if any("{examples}" in word for word in CASES[name]):
            for write in (write_attention, write_networks, write_selection):
                write(Path(out))
        env = {"ISOFLOP_DATASETS": str(tables), "XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache}
        for words in filter(None, (BEFORE.get(name), CASES[name])):
            asked = [*(_put(word, places) for word in words), "--json"]
            done = CliRunner().invoke(isoflop, asked, env=env, catch_exceptions=False)
            assert done.exit_code == 0, done.output
        answer = lasting(json.loads(done.stdout), places)
    answer["provenance"].pop("isoflop", None)
    return answer


def _put(word, places):
    for name, folder in places.items():
        word = word.replace(name, folder)
    return word


def lasting(answer, places):
    """An answer but for what is of this machine or this moment: folders, times of day, and seals, which seal a time."""
    seal = answer["provenance"].get("seal", "")

    def settle(value):
        if isinstance(value, dict):
            return {key: settle(each) for key, each in value.items()}
        if isinstance(value, list):
            return [settle(each) for each in value]
        if not isinstance(value, str):
            return value
        for name, folder in places.items():
            value = value.replace(folder, name)
        for length in {len(seal), 16} if seal else ():  # whole, and as the text has it
            value = value.replace(seal[:length], "{seal}")
        return MOMENT.sub("{time}", value)

    return settle(answer)


def main():
    """Write the golden files, and take away those of no case."""
    tables = Path(os.environ["ISOFLOP_DATASETS"]).resolve()
    assert {words[0] for words in CASES.values()} == set(questions())
    for name in sys.argv[1:] or CASES:
        text = json.dumps(printed(name, tables), indent=1, ensure_ascii=False, sort_keys=True)
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"wrote {name}.json", flush=True)
    for each in GOLDEN.glob("*.json"):
        if each.stem not in CASES:
            each.unlink()


if __name__ == "__main__":
    main()
