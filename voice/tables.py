"""TOML tables read key by key, collecting every problem instead of stopping at the first."""

import re
import tomllib
from pathlib import Path
from typing import Any


class Table:
    """One TOML table. Problems go into the list it is given, as ``file: key: problem``; what is wrong reads as empty."""

    def __init__(self, path: Path, problems: list[str], data: dict[str, Any] | None = None, where: str = "") -> None:
        self.path = path
        self._problems = problems
        self._where = where
        self._seen: set[str] = set()
        self._broken = False
        self._data = self._parse() if data is None else data

    @property
    def language(self) -> str:
        """The language of its content: the folder's name."""
        return self.path.parent.name

    def _parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            problem = "the file is missing"
        except UnicodeDecodeError:
            problem = "the file is not UTF-8 text: save it as UTF-8"
        except tomllib.TOMLDecodeError as error:
            problem = f"not TOML: {error}"
        except OSError as error:
            problem = f"the file cannot be read: {error.strerror}"
        self.wrong("(file)", problem)
        self._broken = True  # one problem is enough: all keys are missing because of it
        return {}

    def wrong(self, key: str, problem: str) -> None:
        if not self._broken:
            self._problems.append(f"{self.path.parent.name}/{self.path.name}: {self._where}{key}: {problem}")

    def _get(self, key: str) -> Any:
        self._seen.add(key)
        value = self._find(key)
        if value is None:
            self.wrong(key, "is missing")
        return value

    def _find(self, key: str) -> Any:
        value: Any = self._data
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def _checked(self, key: str, value: object, spoken: bool) -> str:
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, "must be a text in quotation marks that is not empty")
            return ""
        if "\n" in value.strip() or not value.isprintable():
            self.wrong(key, "must be one line of printable characters")
        if spoken and not re.search(r"[.?!,]$", value.strip()):
            self.wrong(key, "must end as a sentence, with . ? ! or , so that the voice pauses")
        return value.strip()

    def text(self, key: str, *, spoken: bool = False, default: str | None = None) -> str:
        if default is not None and key not in self._data:
            self._seen.add(key)
            return default
        value = self._get(key)
        return "" if value is None else self._checked(key, value, spoken)

    def texts(
        self, key: str, *, spoken: bool = True, at_most: int | None = None, default: tuple[str, ...] | None = None
    ) -> tuple[str, ...]:
        """One text, or a list of texts that are said at the first, second, third try."""
        if default is not None and self._find(key) is None:
            self._seen.add(key)
            return default
        value = self._get(key)
        if value is None:
            return ()
        values = value if isinstance(value, list) else [value]
        if not values or (at_most is not None and len(values) > at_most):
            self.wrong(key, "the list is empty" if not values else f"has {len(values)} wordings; at most {at_most} can be said")
        return tuple(self._checked(key, one, spoken) for one in values)

    def choice(self, key: str, allowed: tuple[Any, ...], default: str) -> Any:
        self._seen.add(key)
        value = self._data.get(key, default)
        if value not in allowed:
            self.wrong(key, f"is {value!r}; it can be {' or '.join(allowed)}")
            return default
        return value

    def number(self, key: str) -> int:
        value = self._get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            self.wrong(key, "must be a whole number, without quotation marks")
        return value if isinstance(value, int) else 0

    def flag(self, key: str) -> bool:
        self._seen.add(key)
        value = self._data.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, "must be true or false, without quotation marks")
            return False
        return value

    def tables(self, key: str, *, needed: bool = True) -> list["Table"]:
        self._seen.add(key)
        rows = (self._get(key) if needed else self._find(key)) or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.wrong(key, f"must be written as [[{key}]] tables")
            return []
        return [Table(self.path, self._problems, row, f"{self._where}{key} {_name(row, n)}.") for n, row in enumerate(rows, 1)]

    def nothing_else(self) -> None:
        """Report the keys that nobody asked for: a misspelt key must not pass in silence."""
        known = {key.split(".")[0] for key in self._seen}
        for key, value in self._data.items():
            if key not in known:
                self.wrong(key, "is not a key that is known here")
            elif isinstance(value, dict):
                for inner in value:
                    if f"{key}.{inner}" not in self._seen:
                        self.wrong(f"{key}.{inner}", "is not a key that is known here")


def is_id(text: object) -> bool:
    """Whether it can name a table: small letters a-z, digits and _."""
    return isinstance(text, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text) is not None


def _name(row: dict[str, Any], number: int) -> str:
    """How problems name a table: by its id, which an editor looks for, or else its number."""
    return str(row["id"]) if is_id(row.get("id")) else str(number)
