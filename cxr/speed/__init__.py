"""speed: how fast exported networks answer on this machine, how much memory they take, how large they are."""
