# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible loads this when it first meets a task of the collection, before it forks its workers: so they have it all."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.plugin_utils._in_process import prepare

prepare()
