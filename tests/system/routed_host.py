#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests of a server at Hetzner, routed by the host's kernel; see routed_scenes.py."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from lab import provider as p  # noqa: E402
from lab.lab import main  # noqa: E402
from system.routed_scenes import Scenes  # noqa: E402
from system.routed_world import HETZNER  # noqa: E402


def test(lab):
    with Scenes(p.Hetzner, HETZNER) as scenes:
        scenes.run()
        return 1 if scenes.failures else 0


if __name__ == "__main__":
    main(test)
