"""Fuzzing: hostile input by the million. Short among the tests, as long as you like with ``python -m tests.fuzz``."""
