# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all modules with a list of resources share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) creates what is missing and changes what differs. Settings that are not given are left as they are.
      - V(absent) deletes the resources that are listed, and no others. Only what identifies each is needed.
    type: str
    choices: [present, absent]
    default: present
  purge_tags:
    description:
      - With V(true), an item's tags become exactly what its C(tags) say.
      - With V(false), its C(tags) are added to those the resource has, and nothing is removed.
      - An item without C(tags) keeps its tags either way. Tags that begin with V(aws:) are AWS's own and never touched.
    type: bool
    default: true
  owner_tags:
    description:
      - Tags that mark a resource as made here. They are added to every item's tags.
      - A resource that exists and does not carry them is neither changed nor deleted; the task fails and names it.
      - What a run left behind that was killed before it could give the tags is taken, see the notes of
        M(gitops.aws.s3_buckets).
    type: dict
  concurrency:
    description:
      - How many calls to AWS are in flight at once, from 1 to 100.
      - Calls that AWS throttles are repeated, so that a high number costs time and not success.
    type: int
    default: 10
notes:
  - The items of a list are independent of each other. When one fails, the others are carried out all the same. The task
    then fails with one message that names every failed item, and its result holds what became of each.
"""

    # For what has no tags in AWS. ansible-test reads texts alone, so that what both say stands here twice.
    UNTAGGED = r"""
options:
  state:
    description:
      - V(present) creates what is missing and changes what differs. Settings that are not given are left as they are.
      - V(absent) deletes the resources that are listed, and no others. Only what identifies each is needed.
    type: str
    choices: [present, absent]
    default: present
  concurrency:
    description:
      - How many calls to AWS are in flight at once, from 1 to 100.
      - Calls that AWS throttles are repeated, so that a high number costs time and not success.
    type: int
    default: 10
notes:
  - The items of a list are independent of each other. When one fails, the others are carried out all the same. The task
    then fails with one message that names every failed item, and its result holds what became of each.
"""
