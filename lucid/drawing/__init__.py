"""Paint classes, layers and channels, from noise or on a picture."""
