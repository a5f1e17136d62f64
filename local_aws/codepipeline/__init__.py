# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodePipeline for local AWS.

service.py answers the API and describe.py words its answers; definition.py and stage_conditions.py check structures,
and refuse with refusals.py; model.py holds pipelines and executions. engine.py moves executions from stage to stage,
rollback.py makes those that roll back, and stages.py takes them through one. actions.py does what each action does,
conditions.py and rules.py check what conditions want, with artifacts.py, cron.py, variables.py and roles.py; pushes.py
starts executions when a source changes, notices.py tells EventBridge.
"""
