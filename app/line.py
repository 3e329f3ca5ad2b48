"""Whose turn it is, when several people ask at once.

Deficit round robin (Shreedhar and Varghese, 1995), a variation at a time: owners stand in a ring, each visit gives an
owner credit for as much work as the largest variation in line, and they are served while it lasts. So everybody gets
the same share of the machine however much they ask for and however long their variations take, nobody waits for more
than one round, and a request of four variations is overtaken between two of them.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Turn:
    turn_id: str
    costs: deque[float]


@dataclass(slots=True)
class _Owner:
    turns: deque[_Turn] = field(default_factory=deque)
    credit: float = 0.0
    is_visited: bool = False

    @property
    def next_cost(self) -> float:
        return self.turns[0].costs[0]


class FairLine:
    """The variations that wait, by owner and turn. Not safe for threads: its user holds a lock."""

    def __init__(self) -> None:
        """Begin with nobody in line."""
        self._ring: OrderedDict[str, _Owner] = OrderedDict()  # the first is being visited

    def __len__(self) -> int:
        """Return how many turns have variations in line."""
        return sum(len(owner.turns) for owner in self._ring.values())

    def num_turns(self, owner: str) -> int:
        """Return how many turns of an owner have variations in line."""
        return len(self._ring[owner].turns) if owner in self._ring else 0

    def join(self, owner: str, turn_id: str, costs: Sequence[float]) -> None:
        """Put a turn behind the others of its owner.

        Args:
            owner: whose it is.
            turn_id: which one.
            costs: of its variations, in order, in any unit of work; above 0.

        Raises:
            ValueError: if there are no costs or one is not above 0.
        """
        if not costs or min(costs) <= 0:
            raise ValueError(f"costs must be above 0, got {list(costs)}")
        self._ring.setdefault(owner, _Owner()).turns.append(_Turn(turn_id, deque(costs)))

    def leave(self, turn_id: str) -> None:
        """Take what is left of a turn out of the line; a turn that is not in it is no error."""
        for name, owner in list(self._ring.items()):
            owner.turns = deque(turn for turn in owner.turns if turn.turn_id != turn_id)
            if not owner.turns:
                del self._ring[name]

    def take(self) -> tuple[str, float] | None:
        """Take out the variation that is next; return its turn and its cost, None if nobody is in line."""
        if not self._ring:
            return None
        self._move_on()
        name, owner = next(iter(self._ring.items()))
        if not owner.is_visited:
            owner.is_visited = True
            owner.credit += max(other.next_cost for other in self._ring.values())
        turn = owner.turns[0]
        cost = turn.costs.popleft()
        owner.credit -= cost
        if not turn.costs:
            owner.turns.popleft()
        if not owner.turns:
            del self._ring[name]  # and the credit with it: nobody saves up
        return turn.turn_id, cost

    def forecast(self) -> list[tuple[str, float]]:
        """Return what `take` will give if nobody comes or goes: turns and costs, next first."""
        ahead = deepcopy(self)
        steps: list[tuple[str, float]] = []
        while (step := ahead.take()) is not None:
            steps.append(step)
        return steps

    def _move_on(self) -> None:
        # Only now, not when the credit ran out: whoever came while the last variation was made is ahead of its owner.
        name, owner = next(iter(self._ring.items()))
        if owner.is_visited and owner.credit < owner.next_cost:
            owner.is_visited = False
            self._ring.move_to_end(name)
