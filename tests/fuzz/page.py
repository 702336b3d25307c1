"""Parts of the page that read files of others: ``@session ID``, ``@upload FILE`` and ``@answer FILE``."""

import sys
from pathlib import Path


def run(words):
    """Do one part, and end as the command line would: 0, or 2 with one sentence."""
    from isoflop.answers.restore import answer_from_dict
    from isoflop.app.session import load, sessions
    from isoflop.app.tables import read_table
    from isoflop.app.upload import check_size
    from isoflop.app.views import state_view
    from isoflop.app.work import perform
    from isoflop.documents import parse_json, read_bounded
    from isoflop.errors import IsoflopError
    from isoflop.render.html import body_html
    from isoflop.runs.files import load as load_table

    kind, name = words
    root = Path.cwd()
    try:
        if kind == "@session":
            sessions(root)
            session = load(root, name)
            state_view(session)
            read_table(session)
            for task in session.tasks:
                perform(session, task, lambda share, doing: None)
        elif kind == "@upload":
            check_size(root / name)
            load_table(root / name)
        else:
            answer = answer_from_dict(parse_json(read_bounded(name, most=10**8)), draw=lambda axes: None)
            body_html(answer, draw=lambda key, picture: "")
    except IsoflopError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0
