"""search: networks of a space, what they cost, how good they are after a short training, and figures."""
