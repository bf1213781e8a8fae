"""Redis Streams as a transport for deliveries."""
