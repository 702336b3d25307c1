"""What trainers already wrote: logs of runs read where they lie, without the trackers' own packages."""

from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.reader import Found, Options
from isoflop.logs.readers import find_logs, read_found, read_logs

__all__ = ["Found", "LogError", "LoggedRun", "Options", "Unread", "find_logs", "read_found", "read_logs"]
