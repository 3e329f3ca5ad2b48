"""How fast this machine is, measured once the model is loaded and again with every stem."""

from app.services import Studio
from stemgen_core.generator import GenerationRequest

SPOKEN_OF_S = 10.0  # length of the stem that people are told the time of


def machine_words(studio: Studio) -> str:
    """Return a line such as "CPU, about 1.5 s per 10 s stem"; empty until something was measured."""
    generator = studio.models.wait(0)
    if generator is None or not generator.instruments:
        return ""
    request = GenerationRequest(generator.instruments[0].name, 0)
    seconds = studio.worker.expected_s(request, SPOKEN_OF_S)
    if seconds is None:
        return ""
    rounded = f"{seconds:.1f}" if seconds < 9.95 else f"{seconds:.0f}"
    return f"{generator.device.upper()}, about {rounded} s per {SPOKEN_OF_S:.0f} s stem"
