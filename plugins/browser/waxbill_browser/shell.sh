#!/bin/sh
# chromedriver gives no address to open, and without one the headless shell opens no page to drive.
exec "$WAXBILL_CHROMIUM_BINARY" "$@" about:blank
