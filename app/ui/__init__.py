"""The page: layout, handlers, components."""
