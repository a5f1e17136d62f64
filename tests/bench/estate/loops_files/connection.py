# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the ARN of a connection, which it makes if it is not there: what people write where a module is missing."""

from __future__ import annotations

import json
import sys

import boto3

tags = [{"Key": key, "Value": value} for key, value in json.loads(sys.argv[3]).items()]
client = boto3.client("codeconnections", region_name=sys.argv[2])
for connection in client.list_connections()["Connections"]:
    if connection["ConnectionName"] == sys.argv[1]:
        print(connection["ConnectionArn"])
        break
else:
    made = client.create_connection(ConnectionName=sys.argv[1], ProviderType="GitHub", Tags=tags)
    print(made["ConnectionArn"])
    print("made", file=sys.stderr)
