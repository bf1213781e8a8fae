"""Settings: where values come from, what is refused, what is masked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from waxbill.settings import CoreSettings, SettingError, Settings, read_env_file


def test_the_environment_wins_over_the_file_and_the_table_says_so(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=4000\nWAHA_API_KEY='from the file'\n# a comment\nWAHA_LOG_LEVEL=debug\n")
    settings = Settings.load({"PORT": "5000"}, tmp_path)
    assert (settings.core.port, settings.core.api_key, settings.core.log_level) == (5000, "from the file", "debug")
    sources = {row.name: row.source for row in settings.table()}
    assert sources["PORT"] == "PORT"
    assert sources["WHATSAPP_API_KEY"] == "WAHA_API_KEY in .env"
    assert sources["WAHA_LOG_FORMAT"] == "default"


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == {}
    assert Settings({}).core == CoreSettings()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "http", "a whole number from 0 to 65535"),
        ("PORT", "70000", "a whole number from 0 to 65535"),
        ("KEEP_ALIVE", "perhaps", "true or false"),
        ("WHATSAPP_DEFAULT_ENGINE", "VENOM", "one of WEBJS, WPP, NOWEB, GOWS"),
        ("WAXBILL_HOOK_TIMEOUT_SECONDS", "0", "a number from 0.1 to 600"),
        ("WHATSAPP_FILES_LIFETIME", "-1", "a whole number, 0 or more"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingError, match=re.escape(f"{name} is {value!r}, but must be {words}")):
        Settings({name: value})


def test_the_aliases_of_waha_and_of_hosting_platforms_are_read() -> None:
    assert Settings({"WHATSAPP_API_PORT": "3001"}).core.port == 3001
    assert Settings({"WHATSAPP_API_PORT": "3001", "PORT": "8080"}).core.port == 8080
    assert Settings({"WAHA_API_KEY": "k"}).core.api_key == "k"


def test_an_empty_value_is_none() -> None:
    assert Settings({"PORT": " "}).core.port == 3000


def test_lists_are_separated_by_commas_and_headers_by_semicolons() -> None:
    core = Settings({"WHATSAPP_HOOK_EVENTS": "message, message.ack,", "WHATSAPP_HOOK_CUSTOM_HEADERS": "A:1,2;B:3"}).core
    assert core.hook_events == ("message", "message.ack")
    assert core.hook_custom_headers == ("A:1,2", "B:3")


def test_every_setting_has_a_meaning_and_a_name_of_its_own() -> None:
    rows = Settings({}).table()
    names = [name for row in rows for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))
    assert all(row.meaning.endswith(".") for row in rows)


def test_the_command_prints_values_sources_and_no_secrets(waxbill) -> None:  # type: ignore[no-untyped-def]
    ran = waxbill("settings", "--json", PORT="8080", WAHA_API_KEY="very secret")
    rows = {row["name"]: row for row in json.loads(ran.stdout)}
    assert (rows["PORT"]["value"], rows["PORT"]["source"]) == ("8080", "PORT")
    assert rows["WHATSAPP_API_KEY"]["value"] == "***"
    assert rows["WAXBILL_MOCK_SCAN_SECONDS"]["value"] == "2.0"
    assert "very secret" not in ran.stdout
    table = waxbill("settings", PORT="8080").stdout
    assert re.search(r"^PORT +8080 +PORT +Port to listen on\.$", table, re.MULTILINE)
