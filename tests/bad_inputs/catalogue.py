"""All bad inputs."""

from __future__ import annotations

from tests.bad_inputs import archives, dicoms, images, names, tables

ALL = [*images.ALL, *archives.ALL, *tables.ALL, *names.ALL, *names.FOUND, *dicoms.ALL]
