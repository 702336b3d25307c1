"""One analysis of many questions, described once, performed, kept, and performed again to the byte."""

from isoflop.study.perform import Performed, perform
from isoflop.study.results import Written, write_results
from isoflop.study.spec import Study, parse_study, read_study, study_toml

__all__ = ["Performed", "Study", "Written", "parse_study", "perform", "read_study", "study_toml", "write_results"]
