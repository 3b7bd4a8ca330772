"""The command line: ``samtaleklar COMMAND``, or ``python -m voice COMMAND``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from voice import __doc__ as about
from voice import logs
from voice.config import ROOT, Config
from voice.errors import ConfigError, PromptError, VoiceError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Gives the exit code; every problem that is ours to name ends as plain sentences on stderr."""
    parser = argparse.ArgumentParser(prog="samtaleklar", description=(about or "").splitlines()[0])
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("serve", help="run the line on this machine: web and worker, migrated and ready").set_defaults(run=_serve)
    commands.add_parser("work", help="run one worker").set_defaults(run=_work)
    commands.add_parser("migrate", help="make or update the database's tables").set_defaults(run=_migrate)
    check = commands.add_parser("check", help="check what callers hear and read; every problem as file: key: problem")
    check.add_argument("folder", nargs="?", type=Path, default=None, help="a folder of languages (default: PROMPTS_DIR or prompts)")
    instead = check.add_mutually_exclusive_group()
    instead.add_argument("--play", metavar="GUIDE", help="read a guide as a caller would meet it")
    instead.add_argument("--table", action="store_true", help="write docs/content.md: where each point of the sources is said or read")
    instead.add_argument("--recordings", action="store_true", help="name each prompt that no human voice has recorded")
    check.set_defaults(run=_check)
    render = commands.add_parser("render", help="make a sound of every prompt, with the voice that SPEECH_VOICE names")
    render.add_argument("--measure", action="store_true", help="tell how long and how loud all the sounds are")
    render.set_defaults(run=_render)
    ring = commands.add_parser("ring", help="place a scripted call and print the conversation and the mail")
    ring.add_argument("script", type=Path, help="what the caller does; tests/calls has examples")
    ring.add_argument("--line", action="store_true", help="ring the line that runs with this environment, not one of its own")
    ring.set_defaults(run=_ring)
    close = commands.add_parser("close", help="take no calls: callers hear that the line is closed; calls that go on are not touched")
    close.add_argument("reason", help="why, in a few words for the operator; callers do not hear it")
    close.set_defaults(run=_close)
    commands.add_parser("open", help="take calls again").set_defaults(run=_open)
    staff = commands.add_parser("staff", help="whose number it is: import a list, look at it, take a number off it")
    doing = staff.add_subparsers(metavar="import|list|remove", required=True)
    taking = doing.add_parser(
        "import", help="take a CSV file in: phone, name, e-mail, language; numbers that are there already are updated"
    )
    taking.add_argument("file", type=Path)
    taking.set_defaults(run=_staff_import)
    doing.add_parser("list", help="print the list").set_defaults(run=_staff_list)
    remove = doing.add_parser("remove", help="forget all that is bound to a number")
    remove.add_argument("number", help="such as +4520123456")
    remove.set_defaults(run=_staff_remove)
    keys = commands.add_parser("keys", help="the worker's keys: list them, make new ones, destroy them")
    turning = keys.add_subparsers(metavar="list|new|rotate|shred", required=True)
    turning.add_parser("list", help="print every key with its history").set_defaults(run=_keys_list)
    turning.add_parser("new", help="make a new key for answers now; a worker does so every day").set_defaults(run=_keys_new)
    turning.add_parser("rotate", help="make a new key for addresses and seal all of them anew").set_defaults(run=_keys_rotate)
    shred = turning.add_parser("shred", help="destroy the keys that are due now; a worker does so every hour")
    more = shred.add_mutually_exclusive_group()
    more.add_argument("--lost", dest="which", action="store_const", const="lost", help="give up the keys that are nowhere any more")
    more.add_argument("--all", dest="which", action="store_const", const="all", help="destroy all that can open answers, now")
    shred.add_argument("--yes", action="store_true", help="do not ask")
    shred.set_defaults(run=_keys_shred, which="due")
    model = commands.add_parser("model", help="the recogniser: which are worth having, get one, try one")
    about_one = model.add_subparsers(metavar="list|fetch|check", required=True)
    listing = about_one.add_parser("list", help="the recognisers for Danish, and the one for this machine, whose speed is measured once")
    listing.add_argument("--no-measure", action="store_true", help="leave out the speed: it takes a minute or more")
    listing.set_defaults(run=_model_list)
    fetch = about_one.add_parser("fetch", help="get one from the model hub, check it and make it ready")
    fetch.add_argument("name", help="as `model list` calls it")
    fetch.add_argument("--from", dest="folder", type=Path, metavar="FOLDER", help="take it from a folder, as its author published it")
    fetch.add_argument("--revision", default="", help="a commit or branch of the hub's, instead of the one that is known to be good")
    fetch.add_argument("--settings", type=Path, metavar="FILE", help="a file of settings to write WHISPER_MODEL into")
    fetch.set_defaults(run=_model_fetch)
    try_one = about_one.add_parser("check", help="errors, speed and memory; refuses one that writes words where nobody speaks")
    try_one.add_argument("name", nargs="?", default="", help="as in `model list`, or a folder (default: WHISPER_MODEL)")
    try_one.add_argument("--clips", type=Path, metavar="FOLDER", help="recordings of yours: NAME.wav, and its words in NAME.txt")
    try_one.set_defaults(run=_model_check)
    commands.add_parser("status", help="count what waits and what failed in the last week; no personal datum").set_defaults(run=_status)
    forget = commands.add_parser("forget", help="delete all that is bound to a number, was said from it, or tells that it called")
    forget.add_argument("number", help="such as +4520123456")
    forget.set_defaults(run=_forget)
    statistics = commands.add_parser("statistics", help="how the line was used, month by month; no number under ten")
    statistics.set_defaults(run=_statistics)
    commands.add_parser("demo", help="try the whole product in the browser, with nothing but this machine").set_defaults(run=_demo)
    chosen = parser.parse_args(arguments)
    logs.configure()
    try:
        return int(chosen.run(chosen) or 0)
    except (ConfigError, PromptError) as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except VoiceError as error:
        print(error, file=sys.stderr)
        return 1


def _serve(_arguments: argparse.Namespace) -> None:
    from voice.serving import serve

    serve(Config.from_env())


def _work(_arguments: argparse.Namespace) -> None:
    from voice.serving import work

    work(Config.from_env())


def _migrate(_arguments: argparse.Namespace) -> None:
    from voice.migrations import migrate

    migrate(Config.from_env().database_url)


def _check(arguments: argparse.Namespace) -> None:
    from voice.check import command

    folder = arguments.folder or Path(os.environ.get("PROMPTS_DIR", ROOT / "prompts"))
    if arguments.play:
        command.play(folder, arguments.play)
    elif arguments.table:
        command.write_table(folder, ROOT / "docs" / "content.md")
    else:
        command.check(folder, recordings=arguments.recordings)


def _render(arguments: argparse.Namespace) -> int:
    from voice.serving import render_with_progress

    return render_with_progress(Config.from_env(), measured=arguments.measure)


def _ring(arguments: argparse.Namespace) -> int:
    from voice.local.ring import ring

    return ring(arguments.script, Config.from_env() if arguments.line else None)


def _close(arguments: argparse.Namespace) -> None:
    from voice.serving import set_closed

    set_closed(Config.from_env(), arguments.reason)
    print(f"The line is closed: {arguments.reason}")


def _open(_arguments: argparse.Namespace) -> None:
    from voice.serving import set_closed

    set_closed(Config.from_env(), None)
    print("The line is open.")


def _staff_import(arguments: argparse.Namespace) -> int:
    from voice.staff import import_file

    return import_file(Config.from_env(), arguments.file)


def _staff_list(_arguments: argparse.Namespace) -> None:
    from voice.staff import print_list

    print_list(Config.from_env())


def _staff_remove(arguments: argparse.Namespace) -> int:
    from voice.staff import remove

    return remove(Config.from_env(), arguments.number)


def _keys_list(_arguments: argparse.Namespace) -> None:
    from voice.keys import print_list

    print_list(Config.from_env())


def _keys_new(_arguments: argparse.Namespace) -> None:
    from voice.keys import new

    new(Config.from_env())


def _keys_rotate(_arguments: argparse.Namespace) -> None:
    from voice.keys import rotate

    rotate(Config.from_env())


def _keys_shred(arguments: argparse.Namespace) -> None:
    from voice.keys import shred

    shred(Config.from_env(), arguments.which, sure=arguments.yes)


def _model_list(arguments: argparse.Namespace) -> None:
    from voice.models.commands import list_models

    list_models(_data_dir(), measured=not arguments.no_measure)


def _model_fetch(arguments: argparse.Namespace) -> None:
    from voice.models.commands import fetch

    fetch(arguments.name, _data_dir(), arguments.folder, arguments.revision, arguments.settings)


def _model_check(arguments: argparse.Namespace) -> None:
    from voice.models.commands import check

    check(arguments.name or os.environ.get("WHISPER_MODEL") or "base", _data_dir(), arguments.clips)


def _data_dir() -> Path:
    """A recogniser is chosen before the other settings are there, so they are not read."""
    return Path(os.environ.get("DATA_DIR") or "data").absolute()


def _status(_arguments: argparse.Namespace) -> None:
    from voice.staff import print_status

    print_status(Config.from_env())


def _forget(arguments: argparse.Namespace) -> None:
    from voice.forgetting import forget

    forget(Config.from_env(), arguments.number)


def _statistics(_arguments: argparse.Namespace) -> None:
    from voice.statistics import print_statistics

    print_statistics(Config.from_env())


def _demo(_arguments: argparse.Namespace) -> int:
    from voice.local.demo.running import demo

    return demo()


if __name__ == "__main__":
    sys.exit(main())
