"""Keeping the player's strips, so that a mix sounds the same after a reload."""

from sessions.store import SessionStore
from sessions.tree import Mixer


def keep_strip(store: SessionStore, owner_token: str, mixer_id: str, mixer: Mixer) -> None:
    """Keep how a strip is set.

    The variations of a turn share their strip, so it is kept with each of them and with the nodes that they became.

    Args:
        store: the sessions.
        owner_token: whose they are.
        mixer_id: `turn:` and a turn's id, or `node:` and a node's, as `app.ui.dock_views` names strips.
        mixer: the strip.

    Raises:
        TurnNotFoundError: if this owner has no such turn.
        NodeNotFoundError: if this owner has no such node.
        ValueError: if a number is not finite or the pan is out of range.
    """
    kind, _, strip_id = mixer_id.partition(":")
    if kind != "turn":
        store.set_mixer(owner_token, strip_id, mixer)
        return
    for variation in store.turn(owner_token, strip_id).variations:
        store.set_variation_mixer(owner_token, variation.id, mixer)
        if variation.picked_node_id is not None:
            store.set_mixer(owner_token, variation.picked_node_id, mixer)
