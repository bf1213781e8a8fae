"""A WhatsApp simulator as a driver for waxbill. ``account`` has WhatsApp's rules, ``dialects`` the engines' shapes."""
