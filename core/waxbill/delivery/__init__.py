"""Delivery: the durable outbox, the lanes that empty it, and the transports. The engine room; drivers don't see it."""
