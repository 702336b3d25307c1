"""The lab: train small models for real, sweep over sizes and durations, and build worlds whose truth is known.

    spec = read_spec("sweep.toml")                       # isoflop.lab.spec: every key checked
    swept = perform(spec, Path("out"), executor=LocalExecutor(workers=2))     # isoflop.lab.sweep
    trained = train(cell)                                # isoflop.lab.train: one cell, here and now

``tasks`` are what is learnt, ``shapes`` what a model costs, ``models`` the models (PyTorch, imported when something
is trained), ``schedules`` the learning rates, ``cell`` one training as a value, ``design`` the cells of a description,
``executors`` the places where they run, ``worlds`` sources of exactly known entropy or exponents.
"""
