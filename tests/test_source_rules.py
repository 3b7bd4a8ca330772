"""Rules of our own about the source, where no tool knows what is a secret here or which text is a caller's. Each is seen to catch.

Bandit's rules are kept by ruff (S) and by bandit itself, which ``make lint`` runs; the last tests see to it that they are on.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import ROOT
from voice.logs import FIELDS

FILES = sorted((ROOT / "voice").rglob("*.py"))
CLIENTS = {
    "urllib.request",
    "urllib3",
    "requests",
    "http.client",
    "httpx",
    "aiohttp",
    "socket",
    "twilio.rest",
    "smtplib",
    "huggingface_hub",
}
# Who speaks with another machine, and to whom: none of them can come by an address that somebody posted.
TALKING = {
    "voice/provider.py": {"urllib3"},  # the configured host
    "voice/delivery.py": {"smtplib", "socket"},  # the configured relay
    "voice/speech/google.py": set(),
    "voice/models/hub.py": {"httpx", "huggingface_hub"},  # the model hub, or its mirror in the settings
}
BESIDE = ("voice/exchange/", "voice/local/")  # the stand-in for the provider: never on a machine that serves callers
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
SECRET = re.compile(
    r"(?:^|_)(?:auth_tokens?|tokens?|secrets?|signatures?|passwords?|nonces?|hmac|digest|pepper|private_key|webhook_keys?)$", re.I
)

Rule = Callable[[ast.AST, str], Iterator[ast.AST]]


def name_of(node: ast.AST) -> str:
    """``a.b.c`` for a chain of names, "" at what is no name."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, str]]:
    """Every call with the whole name of what is called, and its last part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            whole = name_of(node.func)
            yield node, whole, whole.rpartition(".")[2]


def is_composed(node: ast.AST | None) -> bool:
    """A text that is put together while the program runs."""
    match node:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) for value in values)
        case ast.BinOp():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="format" | "join")):
            return True
    return False


def tls_that_checks_nothing(tree: ast.AST, _file: str) -> Iterator[ast.AST]:
    """smtplib verifies nobody unless it is given a context."""
    for call, _, last in calls(tree):
        if last in ("starttls", "SMTP_SSL") and not any(
            keyword.arg == "context" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
            for keyword in call.keywords
        ):
            yield call


def logging_of_text(tree: ast.AST, _file: str) -> Iterator[ast.AST]:
    """A constant sentence, and at most one dictionary of fields that the allow-list names: see logs.py."""
    for call, whole, last in calls(tree):
        owner = whole.rpartition(".")[0].rpartition(".")[2]
        if last not in LEVELS or owner not in ("log", "logger", "logging", "_log"):
            continue
        message, *more = call.args or [None]
        constant = isinstance(message, ast.Constant) and isinstance(message.value, str)
        named = set(re.findall(r"%\((\w+)\)", str(message.value))) if constant and isinstance(message, ast.Constant) else set()
        given = [key.value for one in more if isinstance(one, ast.Dict) for key in one.keys if isinstance(key, ast.Constant)]
        positional = constant and re.search(r"%[sdrf]", str(getattr(message, "value", "")))
        if not constant or positional or len(more) > 1 or call.keywords or not named | set(given) <= set(FIELDS):
            yield call


def secrets_compared_by_eye(tree: ast.AST, _file: str) -> Iterator[ast.AST]:
    """== ends at the first letter that differs, and its time tells how many were right: hmac.compare_digest."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops):
            sides = [node.left, *node.comparators]
            if any(SECRET.search(name_of(side).rpartition(".")[2]) for side in sides) and not all(
                isinstance(side, ast.Constant) or SECRET.search(name_of(side).rpartition(".")[2]) is None for side in sides
            ):
                yield node


def sql_put_together(tree: ast.AST, _file: str) -> Iterator[ast.AST]:
    for call, whole, last in calls(tree):
        sql = last in ("execute", "exec_driver_sql", "executemany", "executescript") or whole in ("text", "sa.text", "sqlalchemy.text")
        if sql and call.args and is_composed(call.args[0]):
            yield call


def a_shell(tree: ast.AST, _file: str) -> Iterator[ast.AST]:
    for call, whole, _ in calls(tree):
        shell = [keyword.value for keyword in call.keywords if keyword.arg == "shell"]
        if whole in ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec") or any(
            not (isinstance(value, ast.Constant) and value.value is False) for value in shell
        ):
            yield call


def imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [module, *(f"{module}.{alias.name}" for alias in names)]
    return []


def fetching_what_was_posted(tree: ast.AST, file: str) -> Iterator[ast.AST]:
    """Who reads requests has no means to fetch, and who fetches goes to a configured host: a posted address leads nowhere."""
    if file.startswith(BESIDE):
        return
    for node in ast.walk(tree):
        found = {name for name in imported(node) if name in CLIENTS}
        if found - TALKING.get(file, set()):
            yield node
        if isinstance(node, ast.Constant) and node.value == "RecordingUrl" and file != "voice/telephony/fields.py":
            yield node  # there an id is taken out of it, and nothing else
        if file in TALKING and any(name.split(".")[0] == "flask" for name in imported(node)):
            yield node


RULES: list[Rule] = [tls_that_checks_nothing, logging_of_text, secrets_compared_by_eye, sql_put_together, a_shell, fetching_what_was_posted]

WRONG: list[tuple[Rule, str]] = [
    (tls_that_checks_nothing, "client.starttls()"),
    (tls_that_checks_nothing, "client.starttls(context=None)"),
    (tls_that_checks_nothing, "smtplib.SMTP_SSL(host, port, timeout=3)"),
    (logging_of_text, "log.info(f'call from {number}')"),
    (logging_of_text, "log.info('call from ' + number)"),
    (logging_of_text, "log.info('call from %s' % number)"),
    (logging_of_text, "log.info('call from {}'.format(number))"),
    (logging_of_text, "log.info('call from %s', number)"),
    (logging_of_text, "log.info('call from %(number)s', {'number': number})"),
    (logging_of_text, "log.info('it failed', {'words': words})"),
    (logging_of_text, "self.log.warning(str(error))"),
    (logging_of_text, "logging.error(error)"),
    (logging_of_text, "log.error('it failed', exc_info=True)"),
    (secrets_compared_by_eye, "if token == given: pass"),
    (secrets_compared_by_eye, "if given != self._auth_token: pass"),
    (secrets_compared_by_eye, "ok = request.signature == expected"),
    (secrets_compared_by_eye, "ok = given in config.twilio_auth_tokens"),
    (secrets_compared_by_eye, "ok = made_nonce == given"),
    (sql_put_together, "tx.execute(f'SELECT * FROM calls WHERE caller = {caller}')"),
    (sql_put_together, "tx.execute(sa.text('SELECT ' + column))"),
    (sql_put_together, "tx.exec_driver_sql('DELETE FROM %s' % table)"),
    (sql_put_together, "tx.execute(text('SELECT {}'.format(column)))"),
    (a_shell, "subprocess.run(command, shell=True)"),
    (a_shell, "subprocess.Popen(command, shell=wanted)"),
    (a_shell, "os.system(command)"),
    (a_shell, "eval(text)"),
    (fetching_what_was_posted, "import urllib3"),
    (fetching_what_was_posted, "from urllib.request import urlopen"),
    (fetching_what_was_posted, "import requests"),
    (fetching_what_was_posted, "url = request.form['RecordingUrl']"),
    (fetching_what_was_posted, "from twilio.rest import Client"),
]

RIGHT = """
client.starttls(context=tls)
smtplib.SMTP_SSL(host, port, context=tls)
log.info("worker ready")
log.warning("job %(job)s failed: %(error)s", {"job": name, "error": error})
log.warning("job %(job)s failed: %(error)s", fields)
if hmac.compare_digest(token, given): pass
if not token: pass
if key == "1" and digits == "hangup": pass
tx.execute(sa.select(calls).where(calls.c.caller == caller))
tx.execute(sa.text("SELECT 1 WHERE x = :x"), {"x": x})
connection.exec_driver_sql("BEGIN IMMEDIATE")
subprocess.run([sys.executable, "-m", "voice"], shell=False)
from urllib.parse import urlsplit
"""


def broken(rule: Rule, source: str, file: str = "voice/any.py") -> list[str]:
    return [f"{file}:{getattr(node, 'lineno', 0)}: {rule.__name__}" for node in rule(ast.parse(source), file)]


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_kept_in_every_file(rule: Rule) -> None:
    assert len(FILES) > 60
    assert [found for path in FILES for found in broken(rule, path.read_text(), str(path.relative_to(ROOT)))] == []


@pytest.mark.parametrize(("rule", "source"), WRONG)
def test_the_rule_catches(rule: Rule, source: str) -> None:
    assert broken(rule, source)


def test_every_rule_catches_something_and_nothing_that_is_right() -> None:
    assert {rule for rule, _ in WRONG} == set(RULES)
    for rule in RULES:
        assert broken(rule, RIGHT) == []


def test_who_fetches_may_not_read_requests_and_the_other_way_round() -> None:
    assert broken(fetching_what_was_posted, "from flask import request", "voice/provider.py")
    assert broken(fetching_what_was_posted, "import urllib3", "voice/telephony/webhooks.py")
    assert not broken(fetching_what_was_posted, "import urllib3", "voice/provider.py")
    assert set(TALKING) <= {str(path.relative_to(ROOT)) for path in FILES}


# ---- bandit's rules, which ruff keeps


def test_bandit_s_rules_are_on_for_all_of_the_program() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert [code for code in lint["ignore"] if code.startswith("S")] == ["S101"]
    assert not [pattern for pattern in lint["per-file-ignores"] if pattern.startswith(("voice", "*"))]


def test_each_waived_rule_says_why() -> None:
    waived = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in FILES
        for line in path.read_text().splitlines()
        if re.search(r"noqa: S\d", line)
    ]
    assert [line for line in waived if not re.search(r"noqa: S\d{3} - \w+", line)] == []
    unexplained = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in FILES
        for line in path.read_text().splitlines()
        if "nosec" in line and not re.search(r"# \w.+ # nosec B\d{3}$", line)
    ]
    assert unexplained == []
    assert [line for line in waived if "S105" in line or "S608" in line] == [], "no password and no composed SQL is waived"


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("S602", "import subprocess\nsubprocess.run(a, shell=True)\n"),
        ("S301", "import pickle\npickle.loads(a)\n"),
        ("S608", "tx.execute(f'SELECT * FROM a WHERE b = {c}')\n"),
        ("S324", "import hashlib\nhashlib.md5(a)\n"),
        ("S501", "import requests\nrequests.get(a, verify=False, timeout=1)\n"),
        ("S311", "import random\nrandom.random()\n"),
        ("S105", "password = 'hunter2'\n"),
    ],
)
def test_ruff_keeps_bandit_s_rules(code: str, source: str) -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "--stdin-filename", "voice/any.py", "-"]
    done = subprocess.run(ruff, input=source, cwd=ROOT, capture_output=True, text=True)
    assert f" {code} " in done.stdout
