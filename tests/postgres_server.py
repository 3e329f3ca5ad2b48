"""A Postgres server of the tests' own: in a folder, on a private socket, and gone with them."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from sessions.migrations.upgrade import upgrade
from sessions.postgres_database import PostgresDatabase

_TEMPLATE = "stemgen_template"
# Nothing here has to survive a power cut; speed matters.
_SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server.

    Attributes:
        programs: folder of its programs.
        folder: of its data and its socket.
    """

    programs: Path
    folder: Path

    def url(self, name: str) -> str:
        """Return the address of a database, in the form in which it is set."""
        return f"postgresql://stemgen@/{name}?host={self.folder}"

    @contextmanager
    def database(self, *, is_empty: bool = False) -> Iterator[str]:
        """Make a database, of the newest shape unless it is to be empty, and drop it when the block ends."""
        name = f"stemgen_{secrets.token_hex(4)}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {'template0' if is_empty else _TEMPLATE}")
        yield self.url(name)
        self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def make_template(self) -> None:
        """Make the database that others begin as a copy of: quicker than running every migration for each."""
        self._say(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
        database = PostgresDatabase(self.url(_TEMPLATE))
        upgrade(database, backup_folder=self.folder)
        database.close()

    def _say(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs.

        Raises:
            CalledProcessError: if it fails; the notes say what it said.
        """
        done = subprocess.run(
            [self.programs / program, *arguments],
            env={**os.environ, "PGHOST": str(self.folder), "PGUSER": "stemgen", "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            timeout=180,
            user=_owner(),
        )
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, program)
            error.add_note(done.stdout)
            raise error

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        # The server keeps what it inherits open: a pipe would never end.
        log, data = self.folder / "log", self.folder / "data"
        self.run(
            "pg_ctl", "-D", str(data), "-l", str(log), "-o", f"-k {self.folder} {options}", "-w", "-t", "120", "start"
        )

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "-t", "120", "stop")


def find_programs() -> Path | None:
    """Return the folder of the newest Postgres server's programs; None if there is none."""
    on_path = shutil.which("pg_ctl")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    """Serve until the block ends."""
    # Short, as a socket's path may have about 100 characters; and not below pytest's folders, which only root enters.
    folder = Path(tempfile.mkdtemp(prefix="stemgen-pg-", dir="/tmp"))
    try:
        owner = _owner()
        if owner is not None:
            shutil.chown(folder, user=owner)
        server = PostgresServer(programs, folder)
        server.run("initdb", "-D", str(folder / "data"), "--no-sync", "-A", "trust", "-U", "stemgen", "-E", "UTF8")
        server.start()
        try:
            server.make_template()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _owner() -> str | None:
    """Return as whom the server runs, None for whoever runs the tests: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
