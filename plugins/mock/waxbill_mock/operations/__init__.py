"""WAHA's operations on a simulated account, one file per area; ``driver.MockAccount`` is all of them together."""
