"""Composition root: the only place where concrete classes meet."""

import logging
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.accounts import Accounts
from app.errands import Pilot
from app.errors import StudioError
from app.examples import load_examples
from app.examples.finished import load_finished
from app.live.room import LiveRoom
from app.model_shelf import Generator, ModelShelf
from app.services import Studio
from app.settings import Settings
from app.sounds import MIN_CONTEXT_S, SoundFiles, SoundShelf, read_kept
from app.upkeep import Upkeep, restore_if_empty
from app.worker import GenerationWorker
from app.zero_gpu import GpuLoan, HandlerDesk, on_gpu
from sessions.check import check_disk
from sessions.errors import SessionError
from sessions.local_blobs import flush_folder
from sessions.quotas import Quotas
from sessions.snapshot import SnapshotFolder
from sessions.store import SessionStore, open_home
from stemgen_core.audio import DecodingLimits, mix_waveforms, read_audio, write_flac
from stemgen_core.generator import GenerationRequest, StemGenerator

if TYPE_CHECKING:
    import gradio as gr

log = logging.getLogger(__name__)

# What Gradio keeps of every tab, and of every call of a program, is kept until there are this many. A tab that is
# forgotten loses nothing: where it stands is known elsewhere (`AnswerOrder`).
TABS_REMEMBERED = 500

SECRET_NAME = "browser.secret"
ACCOUNTS_SECRET_NAME = "accounts.secret"
SECRET_NAMES = (SECRET_NAME, ACCOUNTS_SECRET_NAME)


def build_studio(
    settings: Settings, store: SessionStore, *, load_generators: Sequence[Callable[[], Generator]] = ()
) -> Studio:
    """Put the studio together; the models begin to load.

    Args:
        settings: of this server.
        store: opened on the data folder of `settings`.
        load_generators: return the models; none loads the bundles of `settings`.
    """
    limits = DecodingLimits(max_duration_s=settings.max_context_s, min_duration_s=MIN_CONTEXT_S)
    files = SoundFiles(partial(read_audio, limits=limits), read_kept, write_flac, mix_waveforms)
    sounds = SoundShelf(store.blobs, files)
    worker = GenerationWorker(store, sounds.keep)
    examples = load_examples()

    loads = list(load_generators) or [partial(StemGenerator.load, path) for path in settings.bundle_paths]
    if settings.is_zero_gpu:
        loads = [_on_lent_gpu(load) for load in loads]

    def measure(generator: Generator) -> None:
        # Where GPUs are lent, only a visitor's request gets one.
        for example in [] if settings.is_zero_gpu else list(examples.values())[:1]:
            request = GenerationRequest(generator.instruments[0].name, seed=0)
            worker.measure_speed(Pilot(generator, read_kept(example.path), request))

    return Studio(
        store=store,
        sounds=sounds,
        models=ModelShelf(loads[0], measure, load_more=loads[1:]),
        worker=worker,
        examples=examples,
        max_context_s=settings.max_context_s,
        finished=load_finished(),
        desk=HandlerDesk() if settings.is_zero_gpu else None,
    )


def _on_lent_gpu(load: Callable[[], Generator]) -> Callable[[], Generator]:
    loan = GpuLoan(on_gpu(is_zero_gpu=True))
    return lambda: loan.lend(load())


def browser_secret(data_path: Path) -> str:
    """Return what browsers' storage is written with; visitors are told it: it keeps nothing secret (decision 0061)."""
    return _kept_secret(data_path / SECRET_NAME)


def accounts_secret(data_path: Path) -> str:
    """Return the secret that the tokens of accounts are made with; nobody is told it."""
    return _kept_secret(data_path / ACCOUNTS_SECRET_NAME)


def _kept_secret(path: Path) -> str:
    """Return the secret of a file, made at the first start and kept for good.

    It gets its name when all of it is on the disk: an empty one would be a secret that everybody knows.
    """
    if not path.is_file() or not path.read_text("ascii").strip():
        writing = path.with_name(f".writing-{path.name}")
        writing.unlink(missing_ok=True)
        descriptor = os.open(writing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(16))
            file.flush()
            os.fsync(descriptor)
        writing.replace(path)
        flush_folder(path.parent)
    return path.read_text("ascii").strip()


def serve(settings: Settings, studio: Studio, *, room: LiveRoom | None = None, **launch_options: Any) -> "gr.Blocks":
    """Open the page to visitors and return it once the server ended; at once with `prevent_thread_lock`.

    Args:
        settings: of this server.
        studio: the use cases.
        room: the jams; None opens a room of its own.
        launch_options: of Gradio.
    """
    _set_up_gradio()
    # Gradio takes seconds to import.
    from app.api import Api
    from app.exporting.desk import ExportDesk
    from app.exporting.tickets import DownloadTickets
    from app.ui.export_routes import build_export_routes
    from app.ui.layout import build_page
    from app.ui.live_routes import build_live_routes
    from app.ui.no_fetching import forbid_fetching
    from app.ui.routes import build_routes
    from app.ui.tab_memory import keep_little_of_tabs
    from app.ui.theme import build_theme, page_style

    forbid_fetching()
    desk, tickets = ExportDesk(studio.store, studio.sounds), DownloadTickets()
    page = build_page(
        studio,
        browser_secret=browser_secret(settings.data_path),
        api=Api(studio, desk, tickets),
        accounts=Accounts(accounts_secret(settings.data_path)) if settings.has_login else None,
    )
    page.queue(max_size=64, default_concurrency_limit=8, api_open=False)
    keep_little_of_tabs(page._queue)
    page.launch(
        server_name=settings.host,
        server_port=settings.port,
        app_kwargs={
            "routes": [
                *build_routes(studio),
                *build_export_routes(desk, tickets),
                *build_live_routes(room or LiveRoom(studio)),
            ],
            "middleware": [_guard(settings)],
            "openapi_url": None,
        },
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        state_session_capacity=TABS_REMEMBERED,
        share=False,
        allowed_paths=[],
        blocked_paths=[str(settings.data_path.resolve())],
        mcp_server=True,
        max_file_size=f"{settings.max_upload_mb}mb",
        theme=build_theme(),
        css=page_style(),
        footer_links=[],
        _frontend=False,  # else it asks itself for the page, and ends if that takes a busy machine three seconds
        **launch_options,
    )
    return page


def _set_up_gradio() -> None:
    """Set what Gradio reads when it is imported."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # kept in memory for a dashboard that is closed


def _guard(settings: Settings) -> Any:
    """Return what stands before everything that the server answers."""
    from starlette.middleware import Middleware

    from app.ui.guard import LOOPBACK, Guard
    from app.ui.uploads import uploaded_bytes

    return Middleware(
        Guard,
        allowed_hosts=settings.allowed_hosts,
        any_host=settings.host not in LOOPBACK and not settings.allowed_hosts,
        max_upload_mb=settings.max_upload_mb,
        kept_bytes=uploaded_bytes,
    )


def main() -> int:
    """Run the studio until it is stopped; return the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # Being told to stop, as hosts do, ends the server as Ctrl-C does: what is to be saved is saved.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(Settings.from_environment())
    except (StudioError, SessionError) as error:
        log.error("%s", error)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _run(settings: Settings) -> None:
    snapshots = SnapshotFolder(settings.snapshot_url) if settings.snapshot_url else None
    if snapshots is not None:
        restore_if_empty(settings.home, snapshots)
    megabyte = 1_000_000
    total_bytes = None if settings.max_total_mb is None else settings.max_total_mb * megabyte
    quotas = Quotas(settings.max_session_mb * megabyte, total_bytes)
    with open_home(settings.home, quotas=quotas) as store:
        browser_secret(settings.data_path)
        accounts_secret(settings.data_path)
        for finding in check_disk(settings.home):
            log.warning("%s %s", finding.what, finding.advice)
        upkeep = Upkeep(
            store,
            snapshots=snapshots,
            interval_s=settings.snapshot_interval_s,
            small_files=tuple(settings.data_path / name for name in SECRET_NAMES),
        )
        try:
            studio = build_studio(settings, store)
            room = LiveRoom(studio)
            try:
                serve(settings, studio, room=room)
            finally:
                room.close()
                studio.worker.close()
        finally:
            upkeep.close()
