"""What a stranger's file may do: give audio or a clear error, and nothing else."""

import os
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemgen_core.audio import DecodingLimits, read_audio, reading
from stemgen_core.errors import AudioFormatError, DecoderBusyError, MissingDependencyError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def _tone(num_frames: int, num_channels: int = 1, rate_hz: int = 44_100) -> np.ndarray:
    seconds = np.arange(num_frames) / rate_hz
    return np.stack([0.5 * np.sin(2 * np.pi * 220 * (channel + 1) * seconds) for channel in range(num_channels)], 1)


def _wav(path: Path, num_frames: int = 22_050, num_channels: int = 1, rate_hz: int = 44_100) -> Path:
    soundfile.write(path, _tone(num_frames, num_channels), rate_hz, format="WAV", subtype="PCM_16")
    return path


def _with_ffmpeg(source: Path, path: Path, codec: str) -> Path:
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-c:a", codec, path], check=True)
    return path


def test_stereo_wav_gives_its_samples_channels_first(tmp_path: Path) -> None:
    path = _wav(tmp_path / "clip.wav", 22_051, num_channels=2)

    waveform = read_audio(path)

    assert waveform.sample_rate_hz == 44_100
    np.testing.assert_allclose(waveform.samples.numpy(), _tone(22_051, 2).T, atol=1 / 32_000)


@pytest.mark.parametrize(
    ("container", "subtype", "rate_hz"),
    [
        ("FLAC", "PCM_24", 48_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
        ("OGG", "VORBIS", 44_100),
        ("OGG", "OPUS", 48_000),
        ("AIFF", "PCM_16", 44_100),
        ("WAV", "DOUBLE", 44_100),
    ],
)
def test_usual_formats_sound_as_written(tmp_path: Path, container: str, subtype: str, rate_hz: int) -> None:
    tone = _tone(rate_hz, 2, rate_hz)
    path = tmp_path / "clip"
    soundfile.write(path, tone, rate_hz, format=container, subtype=subtype)

    waveform = read_audio(path)

    assert waveform.sample_rate_hz == rate_hz
    assert waveform.samples.shape == (2, rate_hz)
    middle = slice(10_000, 30_000)
    assert np.abs(waveform.samples.numpy()[:, middle] - tone.T[:, middle]).mean() < 0.01


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec"), [("a.m4a", "aac"), ("a.webm", "libopus"), ("a.webm", "libvorbis"), ("b.m4a", "alac")]
)
def test_what_browsers_record_is_read_even_under_a_wrong_name(tmp_path: Path, name: str, codec: str) -> None:
    encoded = _with_ffmpeg(_wav(tmp_path / "a.wav", 44_100, 2), tmp_path / name, codec)

    waveform = read_audio(encoded.rename(tmp_path / "recording.wav"))

    assert waveform.num_channels == 2
    assert abs(waveform.duration_s - 1.0) < 0.05
    spectrum = np.abs(np.fft.rfft(waveform.samples[0].numpy()))
    assert abs(spectrum.argmax() / waveform.duration_s - 220) < 2


def test_missing_ffmpeg_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingDependencyError, match="apt-get install ffmpeg"):
        read_audio(tmp_path / "clip.m4a")


def _write_html(path: Path) -> None:
    path.write_bytes(b"<!doctype html><script>alert(1)</script>" * 50)


def _write_playlist(path: Path) -> None:
    path.write_bytes(b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


def _write_empty_mp4(path: Path) -> None:
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(5000))


def _write_nan(path: Path) -> None:
    samples = _tone(22_050).astype(np.float32)
    samples[12_345] = np.nan
    soundfile.write(path, samples, 44_100, format="WAV", subtype="FLOAT")


def _write_1024_channels(path: Path) -> None:
    soundfile.write(path, np.full((4_000, 1_024), 0.1), 8_000, format="WAV", subtype="PCM_16")


def _write_1_hz(path: Path) -> None:
    soundfile.write(path, _tone(100), 1, format="WAV")


def _write_2_ghz(path: Path) -> None:
    _wav(path)
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(content)


def _write_zero_frames(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 2)), 44_100, format="WAV")


def _write_short(path: Path) -> None:
    _wav(path, 44_100 // 5)


def _write_silence(path: Path) -> None:
    soundfile.write(path, np.zeros(44_100), 44_100, format="FLAC")


def _write_over_ten_minutes(path: Path) -> None:
    soundfile.write(path, np.zeros(8_000 * 601), 8_000, format="FLAC")


def _write_adpcm(path: Path) -> None:
    soundfile.write(path, _tone(44_100), 44_100, format="WAV", subtype="IMA_ADPCM")


def _write_half_a_flac(path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 88_200)
    soundfile.write(path, noise, 44_100, format="FLAC")
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    path.write_bytes(content[: len(content) * 3 // 4])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (_write_html, "it is no audio file"),
        (_write_playlist, "it is no audio file"),
        pytest.param(_write_empty_mp4, "it holds no audio that can be decoded", marks=needs_ffmpeg),
        (_write_nan, r"NaN or infinite"),
        (_write_1024_channels, "it has 1024 channels. Export it as mono or stereo"),
        (_write_1_hz, "it has 1 samples per second; 8000 to 192000 are possible"),
        (_write_2_ghz, "it has 2147483647 samples per second"),
        (_write_zero_frames, "its length is zero"),
        (_write_short, "it lasts only 0.20 seconds; at least 0.25"),
        (_write_silence, "silent from beginning to end"),
        (_write_over_ten_minutes, "it is longer than 600 seconds"),
        (_write_adpcm, "IMA ADPCM.* is not supported"),
        (_write_half_a_flac, "it is damaged or incomplete"),
    ],
)
def test_unusable_file_gives_an_error_that_names_it_and_says_why(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "clip.wav"
    write(path)

    with pytest.raises(AudioFormatError, match=f"^clip.wav can't be used: .*{message}"):
        read_audio(path)


def test_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AudioFormatError, match="there is no such file"):
        read_audio(tmp_path / "clip.wav")


def test_too_large_a_file_is_refused_unread(tmp_path: Path) -> None:
    path = _wav(tmp_path / "clip.wav")

    with pytest.raises(AudioFormatError, match="at most 0 MB are allowed"):
        read_audio(path, limits=DecodingLimits(max_file_bytes=1_000))


def test_channels_times_frames_are_bounded(tmp_path: Path) -> None:
    path = _wav(tmp_path / "clip.wav", 22_050, num_channels=2)

    with pytest.raises(AudioFormatError, match="too long for its high sample rate"):
        read_audio(path, limits=DecodingLimits(max_samples=44_099))
    assert read_audio(path, limits=DecodingLimits(max_samples=44_100)).num_audio_samples == 22_050


@pytest.mark.parametrize("claimed_bytes", [0xFFFFFFFF, 0x7FFFFFF0])
def test_header_that_lies_about_the_length_gives_what_is_there(tmp_path: Path, claimed_bytes: int) -> None:
    path = _wav(tmp_path / "clip.wav", 22_050)
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", claimed_bytes)
    path.write_bytes(content)

    assert read_audio(path).num_audio_samples == 22_050


def test_wav_cut_off_in_the_middle_gives_what_is_left(tmp_path: Path) -> None:
    path = _wav(tmp_path / "clip.wav", 22_050)
    path.write_bytes(path.read_bytes()[: 44 + 2 * 15_000])

    assert read_audio(path).num_audio_samples == 15_000


def test_absurdly_loud_samples_are_clamped(tmp_path: Path) -> None:
    samples = _tone(22_050).astype(np.float32)
    samples[100], samples[200] = 1e38, -9.0
    soundfile.write(tmp_path / "clip.wav", samples, 44_100, subtype="FLOAT")

    waveform = read_audio(tmp_path / "clip.wav")

    assert waveform.samples[0, [100, 200]].tolist() == [8.0, -8.0]


def _child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Decode with a child that runs `code`."""
    script = tmp_path / "child.py"
    script.write_text(code)
    monkeypatch.setattr(reading, "_CHILD_SCRIPT", script)


def test_decoder_that_crashes_gives_an_error_and_the_next_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _wav(tmp_path / "clip.wav")
    with monkeypatch.context() as patch:
        _child(tmp_path, patch, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

        with pytest.raises(AudioFormatError, match=r"its decoder broke down \(signal 11\)"):
            read_audio(path)

    assert read_audio(path).num_audio_samples == 22_050


def test_decoder_that_hangs_is_killed_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_path = tmp_path / "grandchild"
    _child(
        tmp_path,
        monkeypatch,
        f"import subprocess, pathlib\np = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(pid_path)!r}).write_text(str(p.pid))\np.wait()",
    )
    began = time.monotonic()

    with pytest.raises(AudioFormatError, match="took more than 3 seconds"):
        read_audio(_wav(tmp_path / "clip.wav"), limits=DecodingLimits(wall_s=3.0))

    assert time.monotonic() - began < 15
    assert not _is_alive(int(pid_path.read_text()))


def _is_alive(pid: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":  # dead; whoever adopted it has not noticed yet
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize(
    ("result", "max_samples"),
    [
        ('{"sample_rate_hz": 44100, "num_channels": 64}', 1024),
        ('{"sample_rate_hz": 44100, "num_channels": 1}' + " " * 70_000, 1024),
        ('{"sample_rate_hz": 44100, "num_channels": 1}', 1023),
    ],
    ids=["many channels", "long report", "more samples than allowed"],
)
def test_decoder_taken_over_by_a_file_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, max_samples: int
) -> None:
    _child(
        tmp_path,
        monkeypatch,
        "import sys, pathlib\nfolder = pathlib.Path(sys.argv[1])\n(folder / 'samples.f32').write_bytes(bytes(4096))\n"
        f"(folder / 'result.json').write_text({result!r})",
    )

    with pytest.raises(AudioFormatError, match="its decoder broke down"):
        read_audio(_wav(tmp_path / "clip.wav"), limits=DecodingLimits(max_samples=max_samples))


def test_decoder_out_of_memory_is_an_error(tmp_path: Path) -> None:
    path = _wav(tmp_path / "clip.wav", 44_100 * 20, num_channels=2)

    with pytest.raises(AudioFormatError, match=r"clip\.wav can't be used"):
        read_audio(path, limits=DecodingLimits(memory_bytes=32 * 2**20))


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    read_audio(_wav(tmp_path / "clip.wav"))

    assert list(scratch.iterdir()) == []


def test_no_more_decoders_run_at_once_than_the_machine_is_meant_to_bear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = tmp_path / "at work"
    at_work.mkdir()
    _child(
        tmp_path,
        monkeypatch,
        f"import os, time, pathlib\nmine = pathlib.Path({str(at_work)!r}, str(os.getpid()))\nmine.touch()\n"
        "time.sleep(0.3)\nprint(len(list(mine.parent.iterdir())))\nmine.unlink()",
    )
    path = _wav(tmp_path / "clip.wav")
    seen: list[int] = []

    def decode() -> None:
        with pytest.raises(AudioFormatError):  # this decoder decodes nothing
            read_audio(path, limits=DecodingLimits(patience_s=60))

    threads = [threading.Thread(target=decode) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append(len(list(at_work.iterdir())))
        time.sleep(0.01)

    assert max(seen) == reading.MAX_DECODERS


def test_whoever_waits_too_long_for_a_decoder_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _wav(tmp_path / "clip.wav")
    monkeypatch.setattr(reading, "_free_decoders", threading.BoundedSemaphore(1))
    with reading._decoder_of_its_own(DecodingLimits()), pytest.raises(DecoderBusyError, match="Try again in about"):
        read_audio(path, limits=DecodingLimits(patience_s=0.01))

    assert read_audio(path).num_audio_samples == 22_050  # a place is given back, and nothing else was taken


def test_ffmpeg_is_told_container_codec_and_protocol_and_nothing_guesses_at_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("ffmpeg", "ffprobe", "avconv", "avprobe"):
        (tmp_path / program).write_text(f'#!/bin/sh\necho {program} "$@" >> {tmp_path}/calls\nexit 1\n')
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "clip.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))

    with pytest.raises(AudioFormatError, match="holds no audio"):
        read_audio(tmp_path / "clip.m4a")

    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["ffmpeg", "ffmpeg"]
    for call, codec in zip(calls, ("aac", "alac"), strict=True):
        assert f"-protocol_whitelist file -threads 1 -f mp4 -c:a {codec} -i" in call
