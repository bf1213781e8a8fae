"""The shapes of WAHA's engine WPP, made of what the page tells. Pure: no session, no browser."""
