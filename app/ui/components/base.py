"""What the page's own components have in common."""

from pathlib import Path

import gradio as gr

from app.ui.static import page_head

FOLDER = Path(__file__).parent


def build_component(name: str, template: str, *, elem_id: str, styles: tuple[str, ...] = ()) -> gr.HTML:
    """Build a component: a fixed template, filled by the script of the same name from a JSON value.

    Values reach the script through `props.value`, never through the template: Gradio puts template values into the
    page as markup, and names that people type must stay text. These are instances of `gr.HTML` and not classes of
    their own, because Gradio writes a stub file beside the source of each new component class, which fails where
    the code lies on a disk that the server may not write to.

    Args:
        name: of the .js in this folder.
        template: markup that never changes.
        elem_id: id on the page.
        styles: names of the .css files in this folder, the later one prevails; none for the one of the same name.
    """
    css = "".join((FOLDER / f"{style}.css").read_text("utf-8") for style in styles or (name,))
    return gr.HTML(
        None,
        html_template=template,
        css_template=css,
        js_on_load=(FOLDER / f"{name}.js").read_text("utf-8"),
        head=page_head(),  # each component waits for these; what the page itself is given, none waits for
        apply_default_css=False,
        elem_id=elem_id,
    )
