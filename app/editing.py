"""Changes of a session's tree, each with a way back.

What can be undone is remembered in memory, for each owner and session: a restart forgets it, but loses nothing, since
everything that is taken away lies in the trash of its session.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sessions.errors import InvalidActionError
from sessions.store import SessionStore
from sessions.tree import Node

MAX_STEPS = 50
MAX_SESSIONS = 1000

WayBack = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done and can be undone.

    Attributes:
        label: what was done, for the button: "picking Bass A".
        way_back: undoes it.
        node_id: the node that was open before.
    """

    label: str
    way_back: WayBack
    node_id: str | None


@dataclass(frozen=True, slots=True)
class Editing:
    """What users do to the nodes of their trees.

    Every method raises `NotFoundError` where this owner has no such thing, and `InvalidActionError` where the session
    is in the trash.

    Attributes:
        store: the sessions.
    """

    store: SessionStore
    _steps: OrderedDict[tuple[str, str], deque[Step]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # ---- undo --------------------------------------------------------------------------------------------------

    def next_undo(self, owner_token: str, session_id: str) -> str | None:
        """Return what undo would undo; None if nothing."""
        with self._lock:
            steps = self._steps.get((owner_token, session_id))
            return steps[-1].label if steps else None

    def undo(self, owner_token: str, session_id: str) -> str | None:
        """Undo the last change of a session and open the node that was open before it.

        Returns:
            The id of that node; None if there was none.

        Raises:
            InvalidActionError: if there is nothing to undo.
        """
        with self._lock:
            steps = self._steps.get((owner_token, session_id))
            if not steps:
                raise InvalidActionError("There is nothing to undo here. What was removed lies in the trash.")
            step = steps.pop()
        step.way_back()
        visible = {node.id for node in self.store.tree(owner_token, session_id)}
        if step.node_id in visible:
            self.store.set_current_node(owner_token, session_id, step.node_id)
        return step.node_id

    def _remember(self, owner_token: str, session_id: str, step: Step) -> None:
        with self._lock:
            steps = self._steps.setdefault((owner_token, session_id), deque(maxlen=MAX_STEPS))
            steps.append(step)
            self._steps.move_to_end((owner_token, session_id))
            while len(self._steps) > MAX_SESSIONS:
                self._steps.popitem(last=False)

    def _open_node(self, owner_token: str, session_id: str) -> str | None:
        return self.store.session(owner_token, session_id).current_node_id

    # ---- changes -----------------------------------------------------------------------------------------------

    def pick(self, owner_token: str, variation_id: str) -> Node:
        """Make a variation a node of the tree, and open it. Picking what is a node already only goes there.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is not finished.
        """
        variation = self.store.variation(owner_token, variation_id)
        session_id = self.store.turn(owner_token, variation.turn_id).session_id
        before = self._open_node(owner_token, session_id)
        shown = {node.id for node in self.store.tree(owner_token, session_id)}
        node = self.store.pick_variation(owner_token, variation_id)
        if node.id not in shown:
            self._remember(
                owner_token,
                session_id,
                Step(f"picking {node.name or 'a stem'}", lambda: self.store.delete_node(owner_token, node.id), before),
            )
        return node

    def remove_stem(self, owner_token: str, node_id: str, stem_node_id: str) -> Node:
        """Make and open a node that sounds like another without one of its stems.

        Raises:
            NodeNotFoundError: if this owner has no such nodes.
            InvalidActionError: if the stem doesn't sound there.
        """
        before = self._open_node(owner_token, self.store.node(owner_token, node_id).session_id)
        node = self.store.remove_stem(owner_token, node_id, stem_node_id)
        step = Step("taking a stem out", lambda: self.store.delete_node(owner_token, node.id), before)
        self._remember(owner_token, node.session_id, step)
        return node

    def rename(self, owner_token: str, node_id: str, name: str) -> Node:
        """Call a node something else.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        old = self.store.node(owner_token, node_id)
        node = self.store.rename_node(owner_token, node_id, name)
        if node.name != old.name:
            before = self._open_node(owner_token, node.session_id)
            way_back = lambda: self.store.rename_node(owner_token, node_id, old.name)  # noqa: E731
            self._remember(owner_token, node.session_id, Step(f"renaming to {node.name}", way_back, before))
        return node

    def star(self, owner_token: str, *, node_id: str | None, variation_id: str | None, is_starred: bool) -> None:
        """Give a node or a variation a star or take it away; a picked variation and its node share theirs.

        Raises:
            NotFoundError: if this owner has no such thing.
        """
        if node_id is not None:
            variation_id = self.store.star_node(owner_token, node_id, is_starred).variation_id
        if variation_id is not None:
            picked_node_id = self.store.star_variation(owner_token, variation_id, is_starred).picked_node_id
            if node_id is None and picked_node_id is not None:
                self.store.star_node(owner_token, picked_node_id, is_starred)

    def trash_node(self, owner_token: str, node_id: str) -> Node:
        """Put a node into the trash, and with it what was built on it.

        Returns:
            The node, with the time when it went.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        before = self._open_node(owner_token, self.store.node(owner_token, node_id).session_id)
        was_deleted = self.store.node(owner_token, node_id).deleted_ms is not None
        node = self.store.delete_node(owner_token, node_id)
        if not was_deleted:
            step = Step("moving to the trash", lambda: self.store.restore_node(owner_token, node_id), before)
            self._remember(owner_token, node.session_id, step)
        return node

    def restore_node(self, owner_token: str, node_id: str) -> Node:
        """Take a node, and every node above it, out of the trash.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        return self.store.restore_node(owner_token, node_id)

    def tidy(self, owner_token: str, session_id: str) -> int:
        """Put every stem without a star into the trash, as far as nothing that stays is built on it.

        What is starred stays, with all that it is built on; so do contexts and the node that is open.

        Returns:
            How many branches went.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        nodes = self.store.tree(owner_token, session_id)
        before = self._open_node(owner_token, session_id)
        parents = {node.id: node.parent_id for node in nodes}
        staying: set[str | None] = {None}
        for node in nodes:
            step: str | None = node.id if node.is_starred or node.parent_id is None or node.id == before else None
            while step is not None and step not in staying:
                staying.add(step)
                step = parents[step]
        going = [node.id for node in nodes if node.id not in staying and node.parent_id in staying]
        for node_id in going:
            self.store.delete_node(owner_token, node_id)

        def way_back() -> None:
            for node_id in going:
                self.store.restore_node(owner_token, node_id)

        if going:
            self._remember(owner_token, session_id, Step("tidying up", way_back, before))
        return len(going)

    def trash(self, owner_token: str, session_id: str) -> tuple[tuple[Node, int], ...]:
        """Return what lies in the trash of a session, last thrown away first, each with how many nodes go with it.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        nodes = self.store.tree(owner_token, session_id, include_deleted=True)
        below: dict[str, int] = {}
        for node in reversed(nodes):  # children first
            if node.parent_id is not None:
                below[node.parent_id] = below.get(node.parent_id, 0) + 1 + below.get(node.id, 0)
        thrown = [node for node in nodes if node.deleted_ms is not None]
        thrown.sort(key=lambda node: node.deleted_ms or 0, reverse=True)
        return tuple((node, below.get(node.id, 0)) for node in thrown)
