"""WhatsApp Web through Selenium, Chromium and WA-JS, as a driver for waxbill."""
