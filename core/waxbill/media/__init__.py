"""Media: fetched, sniffed, converted, kept on disk and served. Nothing here is imported by an idle server."""
