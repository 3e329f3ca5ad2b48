"""How well live keeps up on this machine: share of versions in time, how long they take, from a control to the ear.

`python benchmarks/live_swaps.py --loops 40` plays a groove with two players in real time, loops of 8 seconds, with the
bundled model and no page; every third loop a control is changed.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from app.live.rehearsal import Rehearsal
from app.live.room import LiveRoom, Start
from app.main import build_studio
from app.settings import Settings
from sessions.store import open_store

OWNER = "0" * 32


def main() -> None:
    """Play, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=40)
    parser.add_argument("--tempo", type=int, default=120, help="beats a minute; 4 bars")
    parser.add_argument("--threads", type=int, default=2)
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_path=Path(data), bundle_paths=Settings.from_environment().bundle_paths)
        with open_store(settings.data_path) as store:
            studio = build_studio(settings, store)
            studio.models.wait(120)
            room = LiveRoom(studio)
            live = room.open(OWNER, Start("groove", ("bass", "piano"), parsed.tempo, 4, genre="lofi", seed=1))
            page = Rehearsal(live)
            for number in range(0, parsed.loops, 3):
                live.set_controls({"density": 0.5 * (number % 2)})
                page.play_in_time(min(number + 3, parsed.loops))
            score, delays = live.jam.score, sorted(live.jam.score.delays_s)
            steps = [sound.request.settings.num_steps for sound in live.sounds.values() if sound.request is not None]
            total = score.num_in_time + score.num_missed
            print(f"loops of {live.clock.duration_s:.1f} s, {parsed.threads} threads, {studio.models.get().model_id}")
            print(f"versions in time: {score.num_in_time} of {total} ({score.swap_rate:.1%})")
            print(f"made within: half {live.quantile_s(0.5):.1f} s, 95 % {live.quantile_s(0.95):.1f} s")
            print(f"steps of the last: {steps[-1]}")
            print(f"a change of a control is heard after {delays[len(delays) // 2]:.1f} s, at most {delays[-1]:.1f} s")
            room.close()
            studio.worker.close()


if __name__ == "__main__":
    main()
