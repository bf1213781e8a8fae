"""The operations of an account, one file per area; ``base.py`` has what they share."""
