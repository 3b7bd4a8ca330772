"""What a web process costs at start, beside the least that any program of its kind would load: time to import, and memory.

Median of five runs each, taken in turns so that a busy machine slows both. Run: ``make bench``.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 5
SETTINGS = {
    "PUBLIC_BASE_URL": "https://line.example",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "none",
    "SMTP_URL": "smtp://127.0.0.1",
    "MAIL_FROM": "line@example.com",
    "TRIAL": "1",
    "SUMMARY_TO": "employee@example.com",
}
MEASURE = """
import json, sys, time
begun = time.perf_counter()
{program}
took = time.perf_counter() - begun
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps([took * 1000, int(status["VmRSS"].split()[0]) / 1024, len(sys.modules)]))
"""
PROGRAMS = {
    "Flask + SQLAlchemy + psycopg alone": "import flask, psycopg, sqlalchemy; flask.Flask('alone'); sqlalchemy.create_engine('sqlite://')",
    "the web process": "from voice.app import create_app; create_app()",
}


def main() -> None:
    """Measure both and print them as a small table, with the ratio."""
    figures: dict[str, list[list[float]]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS + 1):
            for name, program in PROGRAMS.items():
                figures[name].append(_measure(program, {**os.environ, **SETTINGS, "DATA_DIR": folder}))
    medians = {name: [statistics.median(column) for column in zip(*runs[1:], strict=True)] for name, runs in figures.items()}
    alone, web = medians.values()
    print(f"| median of {RUNS} | import, ms | memory, MiB | modules |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | " + " | ".join(f"{figure:.0f}" for figure in median) + " |")
    print("| ratio | " + " | ".join(f"{mine / least:.2f}" for mine, least in zip(web, alone, strict=True)) + " |")


def _measure(program: str, environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-c", MEASURE.format(program=program)]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
    figures: list[float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()
