"""Turns and variations as values, read in as few queries as can be."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from sessions.conversion import to_turn, to_variation
from sessions.models import NodeRow, TurnRow, VariationRow
from sessions.tree import Turn, Variation


def variation_rows(db: Session, turn_ids: Sequence[str]) -> Sequence[VariationRow]:
    """Return the variations of turns, turn by turn in their order."""
    return db.scalars(
        select(VariationRow)
        .where(VariationRow.turn_id.in_(turn_ids))
        .order_by(VariationRow.turn_id, VariationRow.position)
    ).all()


def variation_value(db: Session, row: VariationRow) -> Variation:
    """Return one variation with the node that picking it made."""
    return to_variation(row, db.scalar(select(NodeRow.id).where(NodeRow.variation_id == row.id)))


def turn_values(db: Session, rows: Sequence[TurnRow]) -> tuple[Turn, ...]:
    """Return turns with their variations, in the order of `rows`."""
    turn_ids = [row.id for row in rows]
    picks = db.execute(
        select(VariationRow.id, NodeRow.id)
        .join(NodeRow, NodeRow.variation_id == VariationRow.id)
        .where(VariationRow.turn_id.in_(turn_ids))
    )
    picked_node_ids = {variation_id: node_id for variation_id, node_id in picks}
    variations: dict[str, list[Variation]] = {turn_id: [] for turn_id in turn_ids}
    for row in variation_rows(db, turn_ids):
        variations[row.turn_id].append(to_variation(row, picked_node_ids.get(row.id)))
    return tuple(to_turn(row, variations[row.id]) for row in rows)
