"""The lab: train small models for real, sweep over sizes and durations, and build worlds whose truth is known."""
