# SPDX-License-Identifier: GPL-2.0
"""How Sphinx makes pages of these files: make htmldocs."""

# pylint: disable=invalid-name

import pathlib
import re

project = "xen-cmm"
author = "The xen-cmm authors"
# The one place that others are checked against: scripts/check-versions.
_changelog = pathlib.Path(__file__).parent.parent / "debian" / "changelog"
release = re.search(r"\((\S+)\)", _changelog.read_text(encoding="utf-8"))[1]
highlight_language = "none"
html_theme = "alabaster"
html_copy_source = False
html_theme_options = {"description": "Coordinated memory management for Xen"}
