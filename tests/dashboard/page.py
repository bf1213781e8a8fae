"""The dashboard as a person has it: what can be seen, named, pressed and typed into."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from selenium import webdriver
from selenium.common.exceptions import (
    JavascriptException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from waxbill.testing import ServerProcess

T = TypeVar("T")
#: For a loaded machine; nothing waits that long where all is well.
PATIENCE_SECONDS = 30.0


class Page:
    """One browser window on a server's dashboard."""

    def __init__(self, server: ServerProcess, width: int, height: int, *, dark: bool = False) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        for argument in ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"):
            options.add_argument(argument)  # a microphone that beeps
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self._scratch = tempfile.TemporaryDirectory()  # what both leave behind
        environment = {**os.environ, "TMPDIR": self._scratch.name}
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver", env=environment))
        self.driver.set_script_timeout(PATIENCE_SECONDS)
        self.server = server
        self._complaints: list[str] = []
        self._hosts: set[str] = set()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.resize(width, height)

    def close(self) -> None:
        self.driver.quit()
        self._scratch.cleanup()

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, view: str = "", **query: str) -> Page:
        """Opens a view and waits until it is there and its events flow."""
        self.driver.get(f"{self.server.url}/dashboard/{view}?{urlencode(query)}")
        self.wait(lambda: self.all("main h1, main.login"))
        if not self.all("main.login"):
            self.live()
        return self

    def live(self) -> None:
        self.wait(lambda: self.all(".is-live"))

    def chat(self, chat: str, session: str = "s") -> Page:
        """Opens a chat and waits until its messages are there."""
        self.open("chats", session=session, chat=chat)
        self.wait(lambda: self.all(".composer"))
        return self

    # -- finding

    def wait(self, found: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
        """What ``found`` answers once that is something."""
        ignored = (NoSuchElementException, StaleElementReferenceException, JavascriptException, IndexError)
        wait = WebDriverWait(self.driver, seconds, 0.05, ignored_exceptions=ignored)
        try:
            return wait.until(lambda _: found())
        except WebDriverException as error:
            raise AssertionError(f"It did not come to be. The page has:\n{self.text()[:2000]}") from error

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The element of a selector that is shown, once there is one."""
        return self.wait(lambda: next((each for each in self.all(selector) if each.is_displayed()), None))  # type: ignore[return-value]

    def named(self, name: str, within: str = "body") -> WebElement:
        """The button, link, field or choice that goes by a name for those who listen to the page."""
        controls = "button, a, input, textarea, select, [role=menuitem], [role=menuitemcheckbox]"

        def find() -> WebElement | None:
            for each in self.all(within)[-1].find_elements(By.CSS_SELECTOR, controls):
                if each.is_displayed() and each.accessible_name == name:
                    return each
            return None

        return self.wait(find)  # type: ignore[return-value]

    def press(self, name: str, within: str = "body") -> None:
        self.wait(lambda: self._pressed(name, within))

    def _pressed(self, name: str, within: str) -> bool:
        self.named(name, within).click()
        return True

    def fill(self, name: str, text: str, within: str = "body") -> None:
        control = self.named(name, within)
        control.clear()
        control.send_keys(text)

    def choose(self, name: str, option: str) -> None:
        control = self.named(name)
        next(each for each in control.find_elements(By.TAG_NAME, "option") if each.text == option).click()

    def text(self) -> str:
        return str(self.driver.execute_script("return document.body.innerText"))

    def sees(self, text: str, within: str = "body") -> None:
        """Waits until a text is on the page."""
        self.wait(lambda: any(text in each.text for each in self.all(within)))

    # -- the chat

    def bubbles(self) -> list[str]:
        """The texts of the messages that are elements, oldest first."""
        script = "return [...document.querySelectorAll('.bubble')].map((b) => b.innerText)"
        return [str(text) for text in self.driver.execute_script(script)]

    def write(self, text: str) -> None:
        """Types a message and sends it."""
        box = self.one(".composer textarea")
        box.send_keys(text)
        box.send_keys(Keys.ENTER)

    def message_menu(self, text: str) -> None:
        """Opens the menu of the last message that has a text."""

        def opened() -> bool:
            said = [each for each in self.all(".bubble > .text") if text in each.text][-1]
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", said)
            more = said.find_element(By.XPATH, "../*[contains(@class, 'more')]")
            self.driver.execute_script("arguments[0].click()", more)
            return bool(self.all(".menu"))

        self.wait(opened)

    # -- what the browser says

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def complaints(self) -> list[str]:
        """What the browser wrote to its console: nothing, for a page that is well."""
        self._complaints += [f"{each['level']} {each['message']}" for each in self.driver.get_log("browser")]
        return self._complaints

    def forget_complaints(self) -> None:
        """For a test whose very subject is a refusal, which the browser notes."""
        self.complaints()
        self._complaints.clear()
        self.hosts()
        self._hosts.clear()

    def hosts(self) -> set[str]:
        """The hosts that anything was asked of."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
                if url.scheme in ("http", "https", "ws", "wss"):
                    self._hosts.add(url.hostname or "")
        return self._hosts
