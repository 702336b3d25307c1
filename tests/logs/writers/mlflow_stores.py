"""Two runs, the second ending in NaN, in a SQLite store and in a file store."""

import os
import sys

folder = sys.argv[1]
os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "GIT_PYTHON_REFRESH": "quiet"}
import mlflow

for address in (f"sqlite:///{folder}/mlflow.db", f"file://{folder}/mlruns"):
    mlflow.set_tracking_uri(address)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("grid", artifact_location=f"{folder}/artifacts"))
    for number in range(2):
        with mlflow.start_run(run_name=f"run-{number}") as run:
            mlflow.log_params({"lr": 3e-4, "width": 64, "data": "/home/alice/c4"})
            mlflow.set_tag("phase", "pilot")
            points = []
            for step in range(50):
                value = 3.0 / (1 + step) ** 0.1 + 0.01 * (step % 7)
                diverged = number == 1 and step >= 40
                points += [("val/loss", float("nan") if diverged else value, step)]
                points += [("grad", float("inf") if step == 3 else value, step)]
            metrics = [
                mlflow.entities.Metric(key, value, 1_700_000_000_000 + 10 * step, step) for key, value, step in points
            ]
            mlflow.MlflowClient().log_batch(run.info.run_id, metrics)
