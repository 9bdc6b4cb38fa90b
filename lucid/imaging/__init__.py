"""Pictures as data: files, filters, padding, metadata. No module here knows a net."""

Size = tuple[int, int]
"""Height, width in pixels."""
