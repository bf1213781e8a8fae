"""WhatsApp's rules: one simulated account and its chats. Knows nothing of HTTP, of WAHA or of engines."""
