"""Attacks, and the guards that they must not get past. docs/security.md has the table."""
