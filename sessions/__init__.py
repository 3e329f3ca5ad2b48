"""The session tree: who made what on top of what. Start at `sessions.store.open_store`."""
