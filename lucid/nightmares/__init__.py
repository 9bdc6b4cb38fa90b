"""What ``darknet nightmare`` does (Joseph Redmon's nightmare.c), on any net."""
