# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site (scripts/docs_site.py makes what it builds it from)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from docutils import nodes

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

GALAXY = yaml.safe_load((Path(__file__).resolve().parents[2] / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
version = release = str(GALAXY["version"])
language = "en"
html_title = f"{project} {version}"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
# As Git hosts do: every heading can be linked to.
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True
# Code whose language is not said is shown as it is.
highlight_language = "text"

html_theme = "furo"
html_theme_options = {"source_repository": f"{GALAXY['repository']}/"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_show_sphinx = False
html_show_copyright = False

# Pages of Ansible's documentation that antsibull-docs refers to. Its inventory would have to be fetched for each build.
ANSIBLE = "https://docs.ansible.com/ansible/latest"
PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def refer_to_ansible(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """The link to Ansible's documentation for the reference NODE; None where it is none of that, but a mistake."""
    target = node["reftarget"]
    if node["reftype"] == "envvar" and target.startswith("ANSIBLE_"):
        page = f"reference_appendices/config.html#envvar-{target}"
    elif target.startswith(("ansible_collections.ansible.builtin.", "ansible_collections.amazon.aws.")):
        page = f"collections/{'/'.join(target.split('.')[1:])}.html"
    elif target in PAGES:
        page = PAGES[target]
    else:
        return None
    return nodes.reference("", "", content, refuri=f"{ANSIBLE}/{page}", internal=False)


def setup(app: Sphinx) -> None:
    app.connect("missing-reference", refer_to_ansible)
