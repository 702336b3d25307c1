"""Would it have predicted? Hold-outs and their scores, rankings of laws, the runs that decide."""
