"""PostgreSQL as the store of waxbill; see ``plugin``."""
