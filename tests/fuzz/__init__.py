"""Fuzzing: hostile input by the million. Short in the test command, as long as you like with ``python -m tests.fuzz``."""
