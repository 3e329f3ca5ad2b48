"""A ticket opens one download for a while."""

from app.exporting import tickets as tickets_module
from app.exporting.tickets import LIFETIME_S, DownloadTickets


def test_a_ticket_opens_its_path_and_no_other() -> None:
    tickets = DownloadTickets()

    ticket = tickets.issue("token", "/export/a/mix.wav")

    assert tickets.token_for(ticket, "/export/a/mix.wav") == "token"
    assert tickets.token_for(ticket, "/export/b/mix.wav") is None
    assert tickets.token_for("", "/export/a/mix.wav") is None
    assert ticket != tickets.issue("token", "/export/a/mix.wav")


def test_a_ticket_ends_after_its_time_and_is_forgotten() -> None:
    now = [0.0]
    tickets = DownloadTickets(now_s=lambda: now[0])
    ticket = tickets.issue("token", "/x")

    now[0] = LIFETIME_S - 1
    assert tickets.token_for(ticket, "/x") == "token"
    now[0] = LIFETIME_S + 1
    assert tickets.token_for(ticket, "/x") is None
    tickets.issue("token", "/y")
    assert len(tickets._tickets) == 1


def test_there_are_never_more_than_so_many(monkeypatch) -> None:  # noqa: ANN001
    monkeypatch.setattr(tickets_module, "MAX_TICKETS", 3)
    tickets = DownloadTickets()

    issued = [tickets.issue("token", "/x") for _ in range(5)]

    assert [tickets.token_for(ticket, "/x") for ticket in issued] == [None, None, "token", "token", "token"]
