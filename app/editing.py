"""Changes of a session's tree, each with a way back and a way forth again.

What can be undone is remembered in memory, for each owner and session: a restart forgets it, but loses nothing, since
everything that is taken away lies in the trash of its session.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sessions.errors import InvalidActionError
from sessions.store import SessionStore
from sessions.tree import Node

MAX_STEPS = 50
MAX_SESSIONS = 1000

Way = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done, can be undone and done again.

    Attributes:
        label: what was done, for the button: "picking Bass A".
        way_back: undoes it.
        way_forth: does it again.
        node_before: the node that was open before.
        node_after: the node that was open afterwards.
    """

    label: str
    way_back: Way
    way_forth: Way
    node_before: str | None
    node_after: str | None


@dataclass(slots=True)
class History:
    """What was done to one session: up to now, and what was undone of it."""

    done: deque[Step] = field(default_factory=lambda: deque(maxlen=MAX_STEPS))
    undone: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Editing:
    """What users do to the nodes of their trees.

    Every method raises `NotFoundError` where this owner has no such thing, and `InvalidActionError` where the session
    is in the trash.

    Attributes:
        store: the sessions.
    """

    store: SessionStore
    _histories: OrderedDict[tuple[str, str], History] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # ---- undo and redo -----------------------------------------------------------------------------------------

    def next_undo(self, owner_token: str, session_id: str) -> str | None:
        """Return what undo would undo; None if nothing."""
        with self._lock:
            history = self._histories.get((owner_token, session_id))
            return history.done[-1].label if history and history.done else None

    def next_redo(self, owner_token: str, session_id: str) -> str | None:
        """Return what redo would do again; None if nothing."""
        with self._lock:
            history = self._histories.get((owner_token, session_id))
            return history.undone[-1].label if history and history.undone else None

    def undo(self, owner_token: str, session_id: str) -> str | None:
        """Undo the last change of a session and open the node that was open before it.

        Returns:
            The id of that node; None if there was none.

        Raises:
            InvalidActionError: if there is nothing to undo.
        """
        with self._lock:
            history = self._histories.get((owner_token, session_id))
            if history is None or not history.done:
                raise InvalidActionError("There is nothing to undo here. What was removed lies in the trash.")
            step = history.done.pop()
            history.undone.append(step)
        step.way_back()
        return self._return_to(owner_token, session_id, step.node_before)

    def redo(self, owner_token: str, session_id: str) -> str | None:
        """Do again what was undone last, and open the node that was open after it.

        Returns:
            The id of that node; None if there was none.

        Raises:
            InvalidActionError: if nothing was undone, or something else was done since.
        """
        with self._lock:
            history = self._histories.get((owner_token, session_id))
            if history is None or not history.undone:
                raise InvalidActionError("There is nothing to do again here.")
            step = history.undone.pop()
            history.done.append(step)
        step.way_forth()
        return self._return_to(owner_token, session_id, step.node_after)

    def remember(self, owner_token: str, session_id: str, step: Step) -> None:
        """Let undo take back what was done; what had been undone before can't be done again then."""
        with self._lock:
            history = self._histories.setdefault((owner_token, session_id), History())
            history.done.append(step)
            history.undone.clear()
            self._histories.move_to_end((owner_token, session_id))
            while len(self._histories) > MAX_SESSIONS:
                self._histories.popitem(last=False)

    def open_node(self, owner_token: str, session_id: str) -> str | None:
        """Return the node that is open in a session."""
        return self.store.session(owner_token, session_id).current_node_id

    def _return_to(self, owner_token: str, session_id: str, node_id: str | None) -> str | None:
        if node_id in {node.id for node in self.store.tree(owner_token, session_id)}:
            self.store.set_current_node(owner_token, session_id, node_id)
        return node_id

    # ---- changes -----------------------------------------------------------------------------------------------

    def pick(self, owner_token: str, variation_id: str) -> Node:
        """Make a variation a node of the tree, and open it. Picking what is a node already only goes there.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is not finished.
        """
        variation = self.store.variation(owner_token, variation_id)
        session_id = self.store.turn(owner_token, variation.turn_id).session_id
        before = self.open_node(owner_token, session_id)
        shown = {node.id for node in self.store.tree(owner_token, session_id)}
        node = self.store.pick_variation(owner_token, variation_id)
        if node.id not in shown:
            self.remember(
                owner_token, session_id, self._step_to(owner_token, f"picking {node.name or 'a stem'}", node.id, before)
            )
        return node

    def remove_stem(self, owner_token: str, node_id: str, stem_node_id: str) -> Node:
        """Make and open a node that sounds like another without one of its stems.

        Raises:
            NodeNotFoundError: if this owner has no such nodes.
            InvalidActionError: if the stem doesn't sound there.
        """
        before = self.open_node(owner_token, self.store.node(owner_token, node_id).session_id)
        node = self.store.remove_stem(owner_token, node_id, stem_node_id)
        self.remember(owner_token, node.session_id, self._step_to(owner_token, "taking a stem out", node.id, before))
        return node

    def _step_to(self, owner_token: str, label: str, node_id: str, before: str | None) -> Step:
        """Return the step that made and opened a node."""
        return Step(
            label,
            lambda: self.store.delete_node(owner_token, node_id),
            lambda: self.store.restore_node(owner_token, node_id),
            before,
            node_id,
        )

    def rename(self, owner_token: str, node_id: str, name: str) -> Node:
        """Call a node something else.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        old = self.store.node(owner_token, node_id)
        node = self.store.rename_node(owner_token, node_id, name)
        if node.name != old.name:
            write = partial(self.store.rename_node, owner_token, node_id)
            self._remember_words(owner_token, node, f"renaming to {node.name}", write, (old.name, node.name))
        return node

    def comment(self, owner_token: str, node_id: str, comment: str) -> Node:
        """Write a line on a node; an empty one takes it away.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        old = self.store.node(owner_token, node_id)
        node = self.store.comment_node(owner_token, node_id, comment)
        if node.comment != old.comment:
            write = partial(self.store.comment_node, owner_token, node_id)
            self._remember_words(owner_token, node, "writing a comment", write, (old.comment, node.comment))
        return node

    def _remember_words(
        self, owner_token: str, node: Node, label: str, write: Callable[[str], object], words: tuple[str, str]
    ) -> None:
        here = self.open_node(owner_token, node.session_id)
        step = Step(label, lambda: write(words[0]), lambda: write(words[1]), here, here)
        self.remember(owner_token, node.session_id, step)

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
        before = self.open_node(owner_token, self.store.node(owner_token, node_id).session_id)
        was_deleted = self.store.node(owner_token, node_id).deleted_ms is not None
        node = self.store.delete_node(owner_token, node_id)
        if not was_deleted:
            step = Step(
                "moving to the trash",
                lambda: self.store.restore_node(owner_token, node_id),
                lambda: self.store.delete_node(owner_token, node_id),
                before,
                self.open_node(owner_token, node.session_id),
            )
            self.remember(owner_token, node.session_id, step)
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
        before = self.open_node(owner_token, session_id)
        parents = {node.id: node.parent_id for node in nodes}
        staying: set[str | None] = {None}
        for node in nodes:
            step: str | None = node.id if node.is_starred or node.parent_id is None or node.id == before else None
            while step is not None and step not in staying:
                staying.add(step)
                step = parents[step]
        going = [node.id for node in nodes if node.id not in staying and node.parent_id in staying]

        def way_back() -> None:
            for node_id in going:
                self.store.restore_node(owner_token, node_id)

        def way_forth() -> None:
            for node_id in going:
                self.store.delete_node(owner_token, node_id)

        way_forth()
        if going:
            self.remember(owner_token, session_id, Step("tidying up", way_back, way_forth, before, before))
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
