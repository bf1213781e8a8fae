"""Media on S3-compatible storage. ``plugin.py`` is what waxbill loads; the rest is imported where it is used."""
