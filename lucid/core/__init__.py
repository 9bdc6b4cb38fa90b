"""One gradient step: look at a canvas, ask a net for the gradient, update the canvas."""
