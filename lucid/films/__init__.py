"""Feedback loops: dream, warp, dream again; and dreams on videos."""
