"""Where and at what scale a net looks at a picture: tiles, octaves, regions."""
