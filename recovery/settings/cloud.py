"""AWS beside the repositories, and where evidence is kept."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from recovery.settings.section import Section


class AwsSettings(Section):
    """AWS services beside the repositories."""

    zone_id: str | None = Field(None, description="Route 53 hosted zone of the site")
    region: str = Field("us-east-1", description="region of Secrets Manager")
    endpoint_url: str | None = Field(None, description="endpoint for Route 53 and Secrets Manager; unset: AWS's own")
    ca_file: Path | None = Field(None, description="certificate authority of that endpoint")
    access_key_id: SecretStr | None = Field(None, description="access key; unset: the machine's own role")
    secret_access_key: SecretStr | None = Field(None, description="secret key")


class EvidenceSettings(Section):
    """Where journals, reports and recorded facts are kept beside the local disk."""

    bucket: str | None = Field(None, description="bucket for evidence; unset: the last repository's bucket")
    prefix: str = Field("evidence", pattern=r"^[\w-]+$", description="its folder in the bucket")
