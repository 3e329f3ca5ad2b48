"""How the page looks: Gradio's theme and the studio's own colours, light and dark.

The font lies beside the scripts, so that the page asks no other host for anything.
"""

from gradio.themes import Base
from gradio.themes.utils import colors, fonts, sizes

from app.ui.static import FONT, STYLE_PATHS, url_of
from stemgen_core.instruments import INSTRUMENTS

_TEAL = colors.Color(
    c50="#eef7f5",
    c100="#d5ebe7",
    c200="#aed8d1",
    c300="#7fbfb6",
    c400="#4fa198",
    c500="#2f8379",
    c600="#256a62",
    c700="#1f5650",
    c800="#1b4541",
    c900="#183936",
    c950="#0b211f",
    name="teal",
)
_STONE = colors.Color(
    c50="#faf9f6",
    c100="#f3f1ec",
    c200="#e5e1d9",
    c300="#cfcac0",
    c400="#a39e94",
    c500="#77736b",
    c600="#57544e",
    c700="#33363a",
    c800="#202428",
    c900="#191c1f",
    c950="#121517",
    name="stone",
)

_FONT_FAMILY = "IBM Plex Sans Variable"

# Neighbours in the table of categories (piano, organ, ...) should not be neighbours in colour: the golden angle.
_GOLDEN_ANGLE = 137.508


def build_theme() -> Base:
    """Return Gradio's theme for the page."""
    theme = Base(
        primary_hue=_TEAL,
        secondary_hue=_TEAL,
        neutral_hue=_STONE,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=[fonts.Font(_FONT_FAMILY), fonts.Font("system-ui"), fonts.Font("sans-serif")],
        font_mono=[fonts.Font("ui-monospace"), fonts.Font("monospace")],
    )
    return theme.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        form_gap_width="14px",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_800",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="white",
        button_secondary_background_fill="*neutral_50",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        button_transition="background-color 120ms ease",
    )


def page_style() -> str:
    """Return the page's style sheet: the font, a colour per instrument category, then the rules."""
    light, dark = _hues(":root", 0.56), _hues(":root.dark, .dark", 0.74)
    return "\n".join([_font_face(), light, dark, *(path.read_text("utf-8") for path in STYLE_PATHS)])


def _font_face() -> str:
    return (
        f"@font-face {{ font-family: '{_FONT_FAMILY}'; font-weight: 100 700; font-display: swap; "
        f"src: url('{url_of(FONT)}') format('woff2'); }}"
    )


def _hues(selector: str, lightness: float) -> str:
    lines = (
        f"--studio-hue-{instrument.index}: oklch({lightness} 0.105 {instrument.index * _GOLDEN_ANGLE % 360:.1f});"
        for instrument in INSTRUMENTS
    )
    return f"{selector} {{ {' '.join(lines)} }}"
