"""Cases: a command of the registry with sound words, and one thing about it made unsound."""

import hashlib
import json

from tests.fuzz import mutate
from tests.fuzz import structure as structures
from tests.fuzz.case import Case

from isoflop.questions import questions
from isoflop.questions.base.kinds import Choice, Count, Duration, Flag, Number
from isoflop.questions.base.specs import FitSpec, LawSpec

AT = ("--at", "N=7B", "--at", "D=1T")
# What a command needs beside its table, where a sample of the option's kind would not do.
NEEDS = {
    "forecast": AT,
    "register": (*AT, "-o", "out.json"),
    "fit": ("--save", "out.json"),
    "report": ("-o", "out.html"),
    "downstream": ("--task", "acc=loss,acc", *AT),
    "rank": ("--law", "chinchilla", "--law", "kaplan", "--draws", "20", "--windows", "1"),
    "backtest": ("--draws", "20", "--windows", "1"),
    "influence": ("--draws", "20"),
    "sensitivity": ("--draws", "20"),
    "finish": ("--where", "run == 'c0'", "--steps", "4000", "--schedule", "wsd:0.2"),
    "design": ("--candidates", "N=10M:1B:4", "--candidates", "D=1B:100B:4", "--spend", "1e21"),
    "tune": AT,
    "repeat": ("--unique", "1e9", "--params", "7B"),
    "decide": ("--by", "recipe"),
    "simulate": ("--constants", "epoch", "--design", "N=1M:1B:3", "--design", "D=20M:20B:3"),
}
OTHER_TABLE = {"finish": "curves.csv", "tune": "sweep.csv", "decide": "recipes.csv"}
SLOW = {"rank", "report", "sensitivity", "backtest", "downstream", "reconcile"}
SLOWEST = "report"


def case(seeds, rng):
    """One case."""
    kind = rng.choice(
        ["table", "table", "table", "options", "options", "groups", "fit", "fit", "prediction", "study", "sweep",
         "programs", "result", "session", "answer", "log", "log", "store", "store", "tables", "upload",
         "scores", "scores", "scores", "arrays", "arrays", "structure", "structure", "structure"]
    )  # fmt: skip
    return KINDS[kind](seeds, rng)


def on_tables():
    """The questions that take a table; slow ones seldom, and the one that draws every picture most seldom."""
    quick = [name for name, each in questions().items() if each.subject != "nothing" and name not in SLOW]
    return quick * 9 + sorted(SLOW - {SLOWEST}) * 3 + [SLOWEST]


def words_of(name, source, *, given=()):
    """A command with everything that it needs, and as few draws as it takes."""
    cls = questions()[name]
    words = [name, *([] if source is None else [source])]
    extra = list(NEEDS.get(name, ()))
    for each in cls.options():
        if each.required and not each.positional and each.word not in extra and not set(each.short) & set(extra):
            extra += [each.word, sample(each)]
    groups = cls.groups()
    if source is not None and not source.endswith("fit.json"):
        if LawSpec in groups and name != "rank":
            extra += ["--law", "E + A/step^alpha" if source.startswith("curves") else "chinchilla"]
        if FitSpec in groups and "--draws" not in extra and "draws" not in getattr(cls, "unused", ()):
            extra += ["--draws", "20"]
    return (*words, *extra, *given)


def sample(option):
    """A sound value of an option's kind."""
    match option.kind:
        case Count():
            return "12"
        case Number():
            return "1e9"
        case Duration():
            return "30d"
        case Choice(values=values):
            return values[0]
    return "x"


def mutated_table(data, name, rng):
    """A table of any format with something changed."""
    if name.endswith(".parquet") or rng.random() < 0.2:
        return mutate.blob(data, rng)
    if name.endswith(".jsonl"):
        rows = data.decode().strip().split("\n")
        row = rng.randrange(len(rows))
        changed = mutate.tree(json.loads(rows[row]), rng)
        text = (
            json.dumps(changed) if rng.random() < 0.9 else rng.choice([mutate.deep(rng), '{"N": ' + "9" * 5_000 + "}"])
        )
        rows = [text] * len(rows) if rng.random() < 0.3 else [*rows[:row], text, *rows[row + 1 :]]
        return "\n".join(rows).encode()
    return mutate.lines(data, rng, "\t" if name.endswith(".tsv") else ",")


def table(seeds, rng):
    """A damaged or odd table under a sound command."""
    name = rng.choice(on_tables())
    source = OTHER_TABLE.get(name) or rng.choice([each for each in seeds.tables if each.startswith("runs")])
    data = mutated_table(seeds.tables[source], source, rng)
    return Case(words_of(name, source), {source: data})


GROUPS = (
    ("compare", "--by", "family", "--draws", "20"), ("compare", "--by", "family", "--only", "a,b", "--draws", "20"),
    ("compare", "--group", "few=N < 1e8", "--group", "more=N >= 1e8", "--draws", "20"),
    ("compare", "--by", "family", "--x", "N", "--draws", "20"),
    ("shape", "--by", "family"), ("decide", "--by", "family", "--x", "N"),
    ("fit", "--law", "chinchilla", "--by", "family", "--share", "alpha,beta", "--draws", "20"),
    ("fit", "--law", "chinchilla", "--by", "family", "--share", "all", "--draws", "20", "--picture", "p.svg"),
    ("fit", "--law", "chinchilla", "--by", "family", "--share", "all but E", "--pool", "E", "--draws", "20"),
)  # fmt: skip


def groups(seeds, rng):
    """A question of groups: a damaged table, or the column of groups made odd, or an odd option."""
    name, *words = rng.choice(GROUPS)
    data = seeds.tables["runs.csv"]
    which = rng.choice(["table", "labels", "option"])
    if which == "table":
        data = mutated_table(data, "runs.csv", rng)
    elif which == "labels":
        head, *rows = data.decode().strip().split("\n")
        place = head.split(",").index("family")
        labels = rng.choice([["a"], ["a", ""], ["a", "b", "c"], ["1", "2.0"], ["a", "b/c", "$x_1$"], list("abcdefgh")])
        cells = [row.split(",") for row in rows[: rng.choice([2, 3, 5, 24])]]
        cells = [[*row[:place], rng.choice(labels), *row[place + 1 :]] for row in cells]
        data = "\n".join([head, *map(",".join, cells)]).encode()
    else:
        offered = [each for each in questions()[name].options() if not each.positional and each.word != "--by"]
        option = rng.choice(offered)
        value = rng.choice([*mutate.NUMBERS, *mutate.TEXTS, sample(option), "N", "family", "loss"])
        words += [option.word] if isinstance(option.kind, Flag) else [option.word, value]
    words = [each.replace("\0", "") for each in words]
    return Case((name, "runs.csv", *words), {"runs.csv": data})


def options(seeds, rng):
    """A sound table, and options with odd values."""
    name = rng.choice(
        [*on_tables(), "cost", "laws", "datasets", "simulate", "validate", "score", "schema", "study", "sweep"]
    )
    if name not in questions():
        return Case((name, rng.choice(mutate.TEXTS), *rng.choice([(), ("--plan",), ("-o", rng.choice(mutate.TEXTS))])))
    cls = questions()[name]
    source = OTHER_TABLE.get(name, "runs.csv") if cls.subject != "nothing" else None
    words = list(words_of(name, source))
    offered = [*cls.options(), *(each for _, each in cls.shared_options())]
    for _ in range(rng.choice([1, 1, 2, 3])):
        option = rng.choice(offered)
        value = rng.choice([*mutate.NUMBERS, *mutate.TEXTS, sample(option)])
        if option.positional:
            words.append(value)
        elif isinstance(option.kind, Flag):
            words.append(option.word)
        else:
            words += [option.word, rng.choice([value, f"{rng.choice(['N', 'D', 'E', 'loss', 'x'])}={value}"])]
    words += rng.choice(
        [(), (), ("--json",), ("--picture", "p.svg"), ("-o", "a.md"), ("--picture", rng.choice(mutate.TEXTS))]
    )
    words = [each.replace("\0", "") for each in words]
    return Case(tuple(words), {} if source is None else {source: seeds.tables[source]})


def sealed(content):
    """The content under a seal of its own: what a forger would write."""
    if isinstance(content, dict):
        content.pop("seal", None)
        content["seal"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps(content).encode()


def document(kind, words):
    """Cases of one of isoflop's own JSON files, forged or damaged."""

    def build(seeds, rng):
        content = seeds.documents[kind]
        data = mutate.blob(sealed(content), rng) if rng.random() < 0.2 else sealed(mutate.tree(content, rng))
        return Case(rng.choice(words), {f"{kind}.json": data, "runs.csv": seeds.tables["runs.csv"]})

    return build


def described(kind, words):
    """Cases of a TOML description."""

    def build(seeds, rng):
        data = mutate.blob(seeds.toml[kind], rng) if rng.random() < 0.2 else mutate.toml(seeds.toml[kind], rng)
        return Case(words, {f"{kind}.toml": data, "runs.csv": seeds.tables["runs.csv"]})

    return build


def result(seeds, rng):
    """A sweep that finds a damaged file of a cell."""
    cell, which = f"out/cells/{seeds.cell}", rng.choice(["result", "result", "status", "cell"])
    files = {f"{cell}/{name}.json": json.dumps(seeds.documents[name]).encode() for name in ("result", "status", "cell")}
    name = f"{cell}/{which}.json"
    files[name] = (
        json.dumps(mutate.tree(seeds.documents[which], rng)).encode()
        if rng.random() < 0.8
        else mutate.blob(files[name], rng)
    )
    spec = seeds.toml["programs"].replace(b"a = [1, 2]", b"a = [1]")
    return Case(("sweep", "programs.toml", "-o", "out"), {"programs.toml": spec, **files})


def session(seeds, rng):
    """A session's state, changed."""
    content = mutate.tree(seeds.documents["session"], rng)
    data = json.dumps(content).encode()
    data = mutate.blob(data, rng) if rng.random() < 0.2 else data
    files = {f"{seeds.session}/session.json": data, f"{seeds.session}/runs.csv": seeds.tables["runs.csv"]}
    return Case(("@session", seeds.session), files)


IMPORT = (
    ("--rule", "last:10"), ("--rule", "min"), ("--rule", "step:1e300"), ("--loss", "loss"), ("--warmup", "3"),
    ("--unfinished", "drop"), ("--tokens-per-step", "0.5M"), ("--column", "N=params"), ("--unit", "loss=bits/byte"),
    ("--format", "text"), ("--format", "table"), ("--format", "tensorboard"), ("--run-table", "runs.csv"),
    ("--pattern", r"step (?P<step>\d+).*loss (?P<loss>\S+)"), ("--keep", "x"), ("--rule", "^x$"), ("--loss", "*"),
)  # fmt: skip


def log(seeds, rng):
    """A run's log, changed, to be imported."""
    name = rng.choice(sorted(seeds.logs))
    tables = name.endswith((".csv", ".jsonl"))
    data = mutated_table(seeds.logs[name], name, rng) if tables else mutate.text(seeds.logs[name], rng)
    words = rng.choice(IMPORT) if rng.random() < 0.3 else ()
    files = {f"logs/{name}": data, "runs.csv": seeds.tables["runs.csv"]}
    return Case(("import", "logs", "-o", "store", *words), files)


ON_STORES = (
    ("check", "store"), ("check", "store", "--all", "--json"), ("finish", "store", "--run", "c0", "--steps", "4000"),
    ("finish", "store", "--schedule", "constant"), ("import", "-o", "store", "--rule", "min"),
    ("downstream", "store", "--task", "t=log(acc),acc", "--at", "N=1B", "--at", "D=1T"),
    ("fit", "store", "--law", "E + A/step^alpha", "--draws", "20"), ("plan", "store", "--draws", "20"),
    ("fit", "store", "--law", "chinchilla", "--draws", "20", "--save", "out.json"),
    ("methods", "store", "--draws", "20"), ("import", "logs", "-o", "store"),
    ("shape", "store", "--by", "family"), ("finish", "curves.csv", "--steps", "9000", "--earlier", "store"),
    ("fit", "store", "--law", "annealing", "--draws", "20"),
)  # fmt: skip


def store(seeds, rng):
    """A store that lacks a part, or whose runs, curves or record are changed, under every command that takes one."""
    files = {f"store/{name}": data for name, data in seeds.store.items()}
    name = rng.choice(sorted(files))
    match rng.randrange(6):
        case 0:
            del files[name]
        case 1 | 2:
            files[name] = mutate.blob(files[name], rng)
        case _:
            files[name] = mutate.parquet(files[name], rng)
    more = {"curves.csv": seeds.tables["curves.csv"], "logs/more.jsonl": seeds.logs["metrics.jsonl"]}
    return Case(rng.choice(ON_STORES), {**files, **more})


ON_SCORES = (
    ("evals", "items.csv"), ("evals", "items.csv", "--at", "N=1T", "--draws", "20"), ("evals", "board.csv"),
    ("evals", "items.csv", "--column", "passes=passes", "--column", "tries=tries", "--draws", "20"),
    ("evals", "items.csv", "--models", "board.csv", "--baseline", "m1", "--table", "out.csv"),
    ("evals", "samples_quiz_2024-01-01T00-00-00.jsonl"), ("evals", "results_2024-01-01T00-00-00.json"),
    ("evals", "log.json"), ("evals", "."),
    ("capability", "board.csv", "--task", "t0,t1,t2,t3,t4", "--by", "model", "--date", "date", "--draws", "20"),
    ("capability", "board.csv", "--task", "t0,t1,t2,t3,t4", "--by", "model", "--scale", "N", "--draws", "20"),
    ("capability", "items.csv", "--task-column", "item", "--score", "score", "--by", "model", "--draws", "20"),
    ("track", "checkpoints.csv", "--task", "t0", "--task", "t1", "--task", "t2", "--by", "model", "--x", "step"),
    ("track", "checkpoints.csv", "--task", "t0", "--by", "model", "--early", "4000", "--picture", "p.svg"),
    ("transfer", "corpora.csv", "--to", "code_loss", "--measured", "2.3", *AT, "--draws", "20"),
    ("transfer", "corpora.csv", "--by", "corpus", "--from-group", "web", "--to-group", "code", "--draws", "20"),
    ("regions", "curve.csv"), ("regions", "curve.csv", "--over", "D", "--by", "run"),
    ("explain", "corpora.csv", "--law", "chinchilla", "--probe", "measures.csv", "--draws", "20"),
    ("prune", "pruned.csv", "--draws", "20"), ("prune", "pruned.csv", "--at", "500", "--at", "5K", "--draws", "20"),
    ("curate", "pools.csv", "--draws", "20"), ("curate", "pools.csv", "--at", "5K", "--share", "tau", "--draws", "20"),
)  # fmt: skip


def scores(seeds, rng):
    """A command that reads scores, checkpoints, a pair of data sets or a curve; one of its files changed, or a word."""
    words = list(rng.choice(ON_SCORES))
    used = [each for each in words if each in seeds.scores]
    if words[1] == ".":
        used = [each for each in seeds.scores if each.startswith(("samples", "results", "log"))]
    files = {name: seeds.scores[name] for name in used}
    which = rng.choice(used)
    if rng.random() < 0.2:
        options = [each for each in questions()[words[0]].options() if not each.positional]
        option = rng.choice(options)
        value = rng.choice([*mutate.NUMBERS, *mutate.TEXTS, sample(option)]).replace("\0", "")
        words += [option.word] if isinstance(option.kind, Flag) else [option.word, value]
    elif which.endswith(".json") and rng.random() < 0.7:
        files[which] = json.dumps(mutate.tree(json.loads(files[which]), rng)).encode()
    else:
        files[which] = mutated_table(files[which], which, rng)
    return Case(tuple(words), files)


def arrays(seeds, rng):
    """Activations with bytes changed, or with a header that tells of another array than is there."""
    name = rng.choice(["a.npz", "a.npy", "a.parquet", "a.safetensors", "examples.npz"])
    data = seeds.scores[name]
    if name == "examples.npz":
        words = rng.choice([(), ("--keep", "0.3"), ("--rows", "out.csv"), ("--clusters", "3"), ("--labels", "correct")])
        return Case(("hardness", name, *words), {name: mutate.blob(data, rng)})
    if name == "a.npz" or rng.random() < 0.4:
        data = mutate.blob(data, rng)
    elif name == "a.parquet":
        data = mutate.parquet(data, rng)
    else:
        data = mutate.header(data, rng)
    words = rng.choice([(), ("--samples", "50"), ("--rows", "out.csv"), ("--array", "z"), ("--labels", "y")])
    return Case(("probe", name, *words), {name: data})


def tables(seeds, rng):
    """Commands that take several tables, one of them changed."""
    names = ["runs.csv", "runs.tsv", "recipes.csv"]
    files = {name: seeds.tables[name] for name in names}
    which = rng.choice(names)
    files[which] = mutated_table(files[which], which, rng)
    words = rng.choice(
        [("validate", *names[:2]), ("calibrate", *names[:2], "-o", "out.toml"), ("compare", *names[:2]),
         ("design", "runs.csv", *NEEDS["design"][-4:], "--candidates", "runs.tsv"),
         ("simulate", "--constants", "epoch", "--design", "runs.csv"),
         ("simulate", "--constants", "epoch", "--design", "recipes.csv", "--drift", "0.1", "-o", "out.csv")]
    )  # fmt: skip
    return Case((*words, *(() if words[0] == "simulate" else ("--draws", "20"))), files)


def structure(seeds, rng):
    """A sound table whose numbers have an odd structure, under any command, with pictures at times."""
    name = rng.choice(on_tables())
    words = words_of(name, "runs.csv")
    law = rng.choice(
        [(), (), (), ("--law", rng.choice(["kaplan", "power-n", "E + A/N^alpha", "gadre", "muennighoff"]))]
    )
    if law and "--law" in words and name != "rank":
        at = words.index("--law")
        words = (*words[:at], *law, *words[at + 2 :])
    words += rng.choice([(), (), ("--picture", "p.svg"), ("--json",)])
    return Case(words, {"runs.csv": structures.table(rng).write_csv().encode()})


def upload(seeds, rng):
    """A table that is sent to the page."""
    name = rng.choice(sorted(seeds.tables))
    return Case(("@upload", name), {name: mutated_table(seeds.tables[name], name, rng)})


KINDS = {
    "table": table,
    "options": options,
    "groups": groups,
    "fit": document(
        "fit",
        [("forecast", "fit.json", *AT), ("plan", "fit.json", "--budget", "1e22"), ("fit", "fit.json"),
         ("compare", "fit.json", "fit.json"), ("register", "fit.json", *AT, "-o", "out.json"),
         ("forecast", "fit.json", *AT, "--picture", "p.svg"), ("plan", "fit.json", "--force", "--picture", "p.png"),
         ("diagnose", "fit.json"), ("methods", "fit.json")],
    ),
    "prediction": document(
        "prediction", [("score", "prediction.json", *end) for end in (("--measured", "2.3"), ("--runs", "runs.csv"))]
    ),
    "answer": document("answer", [("@answer", "answer.json")]),
    "study": described("study", ("study", "study.toml", "-o", "out")),
    "sweep": described("sweep", ("sweep", "sweep.toml", "--plan", "--json")),
    "programs": described("programs", ("sweep", "programs.toml", "--plan")),
    "result": result,
    "session": session,
    "log": log,
    "store": store,
    "tables": tables,
    "structure": structure,
    "upload": upload,
    "scores": scores,
    "arrays": arrays,
}  # fmt: skip
