"""Films: draw a little, warp the picture, draw again; or draw on every frame of a video."""

from lucid.films import warps as warps  # importing the built-in warps registers them
