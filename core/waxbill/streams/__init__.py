"""Live streams of events over WebSocket and Server-Sent Events, on the server's own port. The engine room."""
