"""Writes the fixture database of the newest schema: `python -m tests.sessions.make_fixture`.

Run it when a migration is added, and commit what it writes; the fixtures of earlier schemas are never written again.
"""

import sqlite3
import tempfile
from pathlib import Path

from sessions.migrations.upgrade import newest_revision
from sessions.store import DATABASE_NAME, open_store
from sessions.tree import Mixer
from tests.sessions.scene import OWNER, Scene

FOLDER = Path(__file__).parent / "fixtures"


def main() -> None:
    """Fill a store with one of everything and write its database as SQL."""
    with tempfile.TemporaryDirectory() as folder:
        with open_store(Path(folder)) as store:
            scene = Scene(store)
            sessions = []
            for number in range(3):
                context = scene.context()
                sessions.append(context.session_id)
                bass = scene.stem(context, "bass")
                store.set_mixer(OWNER, bass.id, Mixer(-3.5, 0.25, is_muted=True, nudge_ms=12.0))
                store.star_node(OWNER, bass.id, True)
                store.rename_node(OWNER, bass.id, f"Bass {number} 🎸 'quoted'")
                store.comment_node(OWNER, bass.id, "warm, “late” & a bit loud")
                piano = scene.stem(bass, "piano")
                store.remove_stem(OWNER, piano.id, bass.id)
                store.delete_node(OWNER, scene.stem(piano, "drums").id)
                turn = scene.turn(piano, (1, 2, 3))
                scene.finish(turn.variations[0], b"one")
                store.fail_variation(OWNER, turn.variations[1].id, "Nothing came of it.")
                store.cancel_turn(OWNER, turn.id)
                store.hide_turn(OWNER, store.cancel_turn(OWNER, scene.turn(piano, (4,)).id).id, True)
                store.share_session(OWNER, context.session_id)
            store.delete_session(OWNER, sessions[-1])
        connection = sqlite3.connect(Path(folder) / DATABASE_NAME)
        (FOLDER / f"{newest_revision()}.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
        connection.close()


if __name__ == "__main__":
    main()
