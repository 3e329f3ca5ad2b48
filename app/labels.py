"""What nodes and instruments are called, on the page and in files."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from sessions.tree import Node, NodeKind, Turn
from stemgen_core.instruments import find_instrument


def node_labels(nodes: Sequence[Node], turns: Sequence[Turn]) -> Mapping[str, str]:
    """Return what each node is called: the user's name, else what it is.

    Args:
        nodes: of one session, parents before children.
        turns: of the same session; they give stems their letters.
    """
    letters = {variation.id: ascii_uppercase[variation.index] for turn in turns for variation in turn.variations}
    labels: dict[str, str] = {}
    for node in nodes:  # parents first, so that a removal finds the name of what it removes
        if node.name:
            labels[node.id] = node.name
        elif node.kind is NodeKind.CONTEXT:
            labels[node.id] = "Context"
        elif node.kind is NodeKind.REMOVAL:
            labels[node.id] = f"Without {labels.get(node.removed_node_id or '', 'a stem')}"
        else:
            letter = letters.get(node.variation_id or "", "")
            labels[node.id] = f"{instrument_label(node.instrument)} {letter}".strip()
    return labels


def instrument_label(name: str | None) -> str:
    """Return what people read for an instrument; "Stem" where there is none."""
    return "Stem" if name is None else find_instrument(name).label


def model_label(model_id: str) -> str:
    """Return what people read for a model: what it writes, and enough of its name to tell it from its like."""
    family, _, digest = model_id.partition("-")
    words = {"score": "Notes", "audio": "Sound"}.get(family, family.capitalize())
    return f"{words} {digest[:4]}".strip()
