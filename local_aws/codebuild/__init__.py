# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeBuild for local AWS: build projects, and builds that really run their buildspec.

service.py answers the API, projects.py and builds.py shape what it stores, runner.py takes one build through its
phases with shell.py, buildspec.py, image.py, artifacts.py, credentials.py and buildlog.py. sources.py clones
repositories, webhooks.py says which of their events start builds, statuses.py tells them how builds went.
"""
