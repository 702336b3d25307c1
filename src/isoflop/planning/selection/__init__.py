"""Which data to train on: pools of different quality by budget, examples kept by hardness, sources by transport."""
