"""What the sandbox's AWS holds: buckets in two regions, a hosted zone, the backup secret."""

from __future__ import annotations

import json
import operator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from recovery.adapters.aws import make_client
from recovery.errors import TargetUnreachable
from recovery.waiting import wait_until
from sandbox.layout import BUCKETS, PATIENCE_SECONDS, REGIONS, Sandbox

KEY_ID = "AKIACLICKVIEWSANDBOX"
ZONE = "clickview.app."
SECRET = "clickview/backup"


def aws_client(sandbox: Sandbox, service: str, *, server: str = "aws", region: str = "us-east-1") -> Any:
    """A client of one of the sandbox's AWS servers."""
    return make_client(
        service,
        region=region,
        endpoint_url=f"https://127.0.0.1:{sandbox.ports[server]}",
        ca_file=str(sandbox.ca_file),
        access_key_id=KEY_ID,
        secret_access_key=sandbox.secret("s3"),
    )


def s3(sandbox: Sandbox, side: str) -> Any:
    """A client of the S3 server of one region (`east` or `west`), past the proxy."""
    return aws_client(sandbox, "s3", server=f"s3-{side}", region=REGIONS[side])


def fill_region(sandbox: Sandbox, side: str) -> None:
    """Make the region's bucket."""
    elsewhere = {} if side == "east" else {"CreateBucketConfiguration": {"LocationConstraint": REGIONS[side]}}
    client = s3(sandbox, side)
    _when_up(lambda: client.create_bucket(Bucket=BUCKETS[side], **elsewhere))


def fill_aws(sandbox: Sandbox) -> str:
    """Make the backup secret and the hosted zone with the API's record set; returns the zone's id."""
    secrets = aws_client(sandbox, "secretsmanager")
    value = json.dumps({"encryption_key": sandbox.secret("encryption_key")})
    _when_up(lambda: secrets.create_secret(Name=SECRET, SecretString=value))
    route53 = aws_client(sandbox, "route53")
    zone = route53.create_hosted_zone(Name=ZONE, CallerReference=str(sandbox.folder))["HostedZone"]["Id"]
    record = {"Name": f"api.{ZONE}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "127.0.0.1"}]}
    change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
    return str(zone).rpartition("/")[2]


def _when_up(call: Any) -> None:
    def trouble() -> str:
        try:
            call()
        except (BotoCoreError, ClientError) as error:
            return str(error)
        return ""

    if left := wait_until(trouble, PATIENCE_SECONDS, so=operator.not_, pause=0.1):
        raise TargetUnreachable(f"the sandbox's AWS server does not answer: {left}", "see services/*/log in its folder")
