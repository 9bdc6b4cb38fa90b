"""Images and videos as data: files, filters, padding, metadata, terminal preview.

No module in this package imports a net.
"""

Size = tuple[int, int]
"""Height and width in pixels."""
