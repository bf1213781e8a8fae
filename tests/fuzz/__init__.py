"""Fuzzing: hostile input by the million. Short in the test command, long with ``python -m tests.fuzz``."""
