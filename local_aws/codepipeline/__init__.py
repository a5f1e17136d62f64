# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodePipeline for local AWS.

service.py answers the API, definition.py checks structures, model.py holds pipelines and executions, engine.py moves
executions through their stages, actions.py does what each action does, with artifacts.py, variables.py and roles.py;
pushes.py starts executions when a source changes, notices.py tells EventBridge.
"""
