"""The HTTP API, one file per area of WAHA's contract. Handlers are thin: find the session, call the driver, answer."""
