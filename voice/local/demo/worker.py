"""The demo's worker process: ``samtaleklar work`` that also takes typed answers."""

from voice import logs
from voice.app import create_transcriber
from voice.config import Config
from voice.local.demo.typed import TypedAnswers, TypedFirst
from voice.serving import work

if __name__ == "__main__":
    logs.configure()
    config = Config.from_env()
    work(config, TypedFirst(TypedAnswers(config.data_dir), create_transcriber(config)))
