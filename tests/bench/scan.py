# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scan of 10,000 resources and 200 states against the bare calls that list and read them, in one run.

    make bench

Fails where the scan takes more than 1.5 times as long, or memory grows with more than what is listed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, expressions, scan

ROOT = Path(__file__).resolve().parent.parent.parent
REGION = "eu-central-1"
INSTANCES = 3_400  # each with a volume and an interface
STATES = 200
FOREIGN = 20  # of the instances
TYPES = ["aws_instance", "aws_ebs_volume", "aws_network_interface", "aws_security_group", "aws_vpc", "aws_subnet"]
CONCURRENCY = 10
RATIO, ROUNDS = 1.5, 3


@contextmanager
def local_aws() -> Iterator[str]:
    """The endpoint of a local AWS of its own."""
    with tempfile.TemporaryDirectory() as data:

        def command(*arguments: str) -> str:
            line = [sys.executable, "-m", "local_aws", *arguments, "--data", data]
            return subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout

        endpoint = json.loads(command("up", "--port", "0", "--detach"))
        try:
            yield endpoint["endpoint_url"]
        finally:
            command("down")


class Plain(Aws):
    """The modules' connection, with the root key of local AWS."""

    def __init__(self, clients: Callable[[str], Any]) -> None:
        super().__init__(SimpleNamespace(check_mode=False), CONCURRENCY)
        self._make = clients

    def client(self, service: str) -> Any:
        if service not in self._clients:
            client = self._make(service)
            client.meta.events.register("before-call", self._before_call)
            self._clients[service] = client
        return self._clients[service]

    def in_region(self, region: str) -> Plain:
        assert region == REGION
        return self


def fill(clients: Callable[[str], Any]) -> str:
    """Makes resources and states; the bucket's name."""
    ec2, s3 = clients("ec2"), clients("s3")
    ids: list[dict[str, str]] = []
    while len(ids) < INSTANCES:
        made = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=min(200, INSTANCES - len(ids)))
        ids += [{"id": one["InstanceId"]} for one in made["Instances"]]
    bucket = "states"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    provider = 'provider["registry.terraform.io/hashicorp/aws"]'
    for number in range(STATES):
        instances = [{"attributes": one} for one in ids[FOREIGN:][number::STATES]]
        managed = {"mode": "managed", "type": "aws_instance", "name": "one", "provider": provider}
        state = {
            "version": 4,
            "serial": 1,
            "lineage": f"l-{number}",
            "outputs": {},
            "resources": [{**managed, "instances": [{"index_key": i, **one} for i, one in enumerate(instances)]}],
        }
        s3.put_object(Bucket=bucket, Key=f"{number}/terraform.tfstate", Body=json.dumps(state).encode())
    return bucket


def bare(clients: Callable[[str], Any], bucket: str) -> int:
    """The calls alone, as many at the same time: lists of the types, and the states. How many resources there are."""
    made = {name: clients(name) for name in ("ec2", "s3")}

    def listed(name: str) -> int:
        call = catalogue.ALL[name].list
        parameters = expressions.filled(call.parameters, {"account": "123456789012"})
        pages = made["ec2"].get_paginator(call.operation).paginate(**parameters)
        key = call.result.partition("[")[0]
        return sum(len(page[key]) for page in pages)

    def read(key: str) -> int:
        return len(made["s3"].get_object(Bucket=bucket, Key=key)["Body"].read())

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        count = sum(pool.map(listed, TYPES))
        pages = made["s3"].get_paginator("list_objects_v2").paginate(Bucket=bucket)
        list(pool.map(read, [entry["Key"] for page in pages for entry in page["Contents"]]))
    return count


def main() -> int:
    """Prints the table; 1 where the scan is too slow."""
    with local_aws() as endpoint:

        def clients(service: str) -> Any:
            return boto3.client(
                service,
                region_name=REGION,
                endpoint_url=endpoint,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(max_pool_connections=CONCURRENCY, proxies={}),
            )

        bucket = fill(clients)
        found: dict[str, Any] = {}
        params = {name: option.get("default") for name, option in scan.ARGUMENTS.items()}
        params |= {"verdicts": None, "explain": None}
        params |= {"state_bucket": bucket, "types": TYPES, "min_age_hours": 0, "attribution_calls": 0, "breadth": False}
        ratios, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _round in range(ROUNDS):
            start = time.monotonic()
            bare(clients, bucket)
            calls = time.monotonic() - start
            plain = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            aws = Plain(clients)
            start = time.monotonic()
            found = scan.info(aws, params)
            ratios.append((time.monotonic() - start) / calls)
            print(f"bare calls {calls:6.2f} s   scan {ratios[-1] * calls:6.2f} s   ratio {ratios[-1]:.2f}")
        seen = sum(each["seen"] for each in found["coverage"])
        print(f"{seen} resources, {len(found['states'])} states, {found['counts']['unmanaged']} unmanaged")
        print(f"memory: {before / 1024:.0f} MiB before, {plain / 1024:.0f} MiB with the bare calls, ", end="")
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB with the scan")
        print("calls of one scan: " + ", ".join(f"{name} {n}" for name, n in sorted(Counter(aws.calls).items())))
        assert found["complete"], found["problems"]
        assert found["counts"]["unmanaged"] == FOREIGN
        return int(min(ratios) > RATIO)


if __name__ == "__main__":
    sys.exit(main())
