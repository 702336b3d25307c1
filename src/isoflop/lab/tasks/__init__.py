"""Tasks to train on that need no download: byte-level text and small images."""

from __future__ import annotations

from functools import lru_cache

from isoflop.errors import SpecError
from isoflop.lab.tasks.base import Task, TaskSpec
from isoflop.lab.tasks.digits import DigitsTask, digits
from isoflop.lab.tasks.text import TextTask, python_text, text_from, text_task

TASKS = ("python-text", "text", "digits")

__all__ = ["TASKS", "DigitsTask", "Task", "TaskSpec", "TextTask", "digits", "open_task", "python_text", "text_from"]


@lru_cache(maxsize=4)
def open_task(spec: TaskSpec) -> Task:
    """The task that a description names, read once a process."""
    if spec.name in ("python-text", "text"):
        return text_task(spec)
    if spec.name == "digits":
        return digits(spec)
    raise SpecError(f"unknown task {spec.name!r}; the tasks are {', '.join(TASKS)}")
